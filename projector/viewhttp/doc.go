// Package viewhttp is the query service of views: a [Handler] that serves a [projector.Reader] over HTTP, a [Client] that is one again, and a
// [Router] that finds the instance which holds what is asked for.
//
// # One query, from end to end
//
// GET /views/totals/rows/acc-1 comes to any instance. The [Handler] checks limits and rights, decodes the request into a [projector.Query], and
// asks its reader, the [Router]. That one asks where the shards of the view are now and which of them the key belongs to. If it is held here,
// the view store answers; else the [Client] of the holder's address does, over the same HTTP, with a mark that the request was routed. An
// instance answers a routed request from what it holds, or says that it does not hold it: no request is passed on twice. Then the router asks
// for the placement again and tries anew, a few times, before the caller is told to come back.
//
// A scan names to each instance the shards it is asked for. An instance that has lost one refuses all of it, so a page has each row once, also
// while shards move. Pages are merged in key order, and the token for the next one holds nothing of a particular instance.
//
// # Read your own write
//
// Positions are tokens, as [muster.Position] has them. What a reply or a page gave goes along as min-position, and the read waits until the view
// has applied it: 504 and reason not-reached where that takes too long.
//
// # Changes
//
// A watch is a stream of server-sent events. A reader that is slow gets the latest value of a row and not each one, for the copy of a row that
// waits to be sent is made when the reader can take it. A reader that comes back, with the id of the last event it saw, first gets a reset and
// then all rows as they are, from a copy that is no older than what it has seen: there is no change it can miss.
package viewhttp
