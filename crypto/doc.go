// Package crypto seals personal data wherever Muster keeps it, and makes it unreadable for good when its subject asks for that.
//
// # What is personal
//
// Types say it. A field of a protobuf message has the option personal of muster/privacy/privacy.proto, a field of a struct the tag
// `muster:"personal"`. Whose it is says the field that subject names, which is marked subject_id; without one it is the aggregate's, so the
// aggregate id is the subject's id then (in a row of a view, the row's key). A field that is a list or a map is personal as a whole. [Whole]
// declares that a type is sealed whole, [Remainder] what stays readable of its personal fields. A wrong declaration is an error when a service
// opens ([Codec.CheckTypes]).
//
// Ids are never sealed: not those of aggregates and subjects, not the keys of rows. Where the natural ones tell who somebody is, use
// [PseudonymousID].
//
// # One event, from end to end
//
// [Codec] stands around the codec that makes bytes. [Codec.Encode] has it encode the event and cuts the bytes in two: what stays clear, and for
// each subject one part that holds its fields and is a message of the same type. The keyring finds each subject's data key, which costs a look
// into a map; where the subject has none it makes one, stores it wrapped, and uses whichever key the store kept. Each part is sealed with
// AES-256-GCM under a random nonce and bound to its place: tenant, group, aggregate, revision, type, ids, its number among the parts, and the clear
// bytes. The payload is an envelope of all that, and its content type says so.
//
// [Codec.Decode] does the opposite. It opens what it may and hands clear and opened bytes, one behind the other, to the inner codec, which sees
// what it made. What is older than the codec and lies there in clear is read as it is (see [Config].RequireSealed); a field that becomes personal
// later is sealed from then on, and what was written before stays as it is: [Codec.Disclosed] finds it.
//
// # What cannot be opened
//
//	the subject is erased            its fields are absent; [Codec.Reveal] names them. Nothing new is sealed for it: [ErrShredded]
//	no right to the key              its fields are absent, and Reveal says that others have them
//	key store or KMS is down         [ErrKeyUnavailable]; nothing is known, so the caller waits
//	no key, and no mark of erasure   [ErrKeyMissing]; somebody has to look
//	moved or changed                 [ErrTampered]
//	of another kind                  [ErrUnknownFormat], before any key is asked for
//
// None of the lower ones is ever taken for the first: an outage would redact read models for good.
//
// Where all parts of a payload are withheld, nothing proves its clear bytes any more: their proof was part of what was sealed. And a payload that holds
// nothing personal has no part, so who may write to a topic can write one.
//
// # How long a key lives here
//
// Opened keys are kept, within the bounds of [Config]. A watch of the key store tells what was destroyed, at once; while it is cut, a key is
// used for [Config].Grace at most before the store is asked about it again. So after a destruction no process opens anything later than that.
package crypto
