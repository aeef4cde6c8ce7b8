package sim

import (
	"bytes"
	"context"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/service"
)

// keySpace is that of all processes: its keys and its ledger of erasures are topics of the cluster.
const keySpace = "people"

var subjectKey = bytes.Repeat([]byte{7}, 32)

// seal gives the configuration of a service keys, over the connection that it has itself. A caller has a codec of its own, which tells at rest what it
// still opens. The function it gives lets go of both.
func (w *world) seal(ctx context.Context, cfg *service.Config, p *process) (codec *crypto.Codec, release func(), err error) {
	if !Sealed(w.settings.Seed) {
		return nil, func() {}, nil
	}
	keys, err := service.OpenKeys(ctx, *cfg, keySpace)
	if err != nil {
		return nil, nil, err
	}
	sealing := w.sealing(keys)
	sealing.Now = p.clock.now
	cfg.Erasure = &service.ErasureConfig{KeySpace: keySpace, Look: w.settings.slow(lookup)}
	if p.service != callsName {
		cfg.Privacy = sealing
		return nil, keys.Close, nil
	}
	if codec, release, err = openCodec(ctx, sealing, keys); err != nil {
		return nil, nil, err
	}
	cfg.Codec, cfg.Erasure.Keys = codec, keys
	cfg.Erasure.Ref = func(subject string) crypto.SubjectRef { return crypto.RefOf(subjectKey, tenant, subject) }
	return codec, release, nil
}

// openCodec opens a codec on keys of its own. The function it gives lets go of both.
func openCodec(ctx context.Context, sealing *crypto.Config, keys *service.Keys) (codec *crypto.Codec, release func(), err error) {
	if codec, err = crypto.Open(ctx, *sealing); err != nil {
		keys.Close()
		return nil, nil, err
	}
	return codec, func() {
		_ = codec.Close()
		keys.Close()
	}, nil
}

func (w *world) sealing(keys *service.Keys) *crypto.Config {
	return &crypto.Config{
		Keys: keys, KMS: w.kms, SubjectKey: subjectKey, Tenant: tenant, Grace: w.settings.slow(grace), KeyTimeout: w.settings.slow(lookup), RequireSealed: true,
	}
}

// reader opens a codec with keys of its own, which nothing disturbs and which remembers nothing.
func (w *world) reader(ctx context.Context) (codec *crypto.Codec, done func(), err error) {
	keys, err := service.OpenKeys(ctx, service.Config{Name: "reader", Brokers: w.brokers, ExistingTopics: true}, keySpace)
	if err != nil {
		return nil, nil, err
	}
	sealing := w.sealing(keys)
	sealing.KeyTimeout, sealing.Grace = w.settings.Within, w.settings.Within // it is no part of what is tried: a busy machine is no reason to give up
	return openCodec(ctx, sealing, keys)
}

// lookup bounds how long a key is asked for, and is how often erasures are looked for.
const lookup = 250 * time.Millisecond // a twentieth, too
