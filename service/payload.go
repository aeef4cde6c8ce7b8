package service

import (
	"errors"

	"github.com/seed-3eec0498/muster"
)

// keyWait is a partition whose commands wait for a key. It is shown as recovering, for a reason, until a batch with its commands is committed.
type keyWait struct{ again pause }

// awaitKeys lets the commands of a partition on hold through again after a pause, which grows from one time to the next. What the partition holds is
// as good as before, so nothing is read again.
func (o *owner) awaitKeys(p int32, why string, cause error) {
	o.mu.Lock()
	t := o.tenure[p]
	if t == nil || t.ctx.Err() != nil {
		o.mu.Unlock()
		return
	}
	wait := o.keyWaits[p]
	if wait == nil {
		wait = &keyWait{}
		if o.keyWaits == nil {
			o.keyWaits = map[int32]*keyWait{}
		}
		o.keyWaits[p] = wait
		o.waitingForKeys.Add(1)
		o.metrics.suspensions.WithLabelValues(o.group.Name(), why).Inc()
		o.log.Warn("commands of a partition wait for a key; they are tried again until it can be had", "group", o.group.Name(), "partition", p, "why", why, "cause", quiet(cause))
	}
	t.done.Add(1)
	o.mu.Unlock()
	go func() {
		defer t.done.Done()
		if wait.again.wait(t.ctx) {
			t.change.Serve(p)
		}
	}()
}

// keysBack notes that batches of partitions were committed that may have waited for keys.
func (o *owner) keysBack(partitions []int32) {
	if o.waitingForKeys.Load() == 0 {
		return
	}
	for _, p := range partitions {
		if o.forgetKeyWait(p) {
			o.board.set(o.group.Name(), p, Serving, "", nil)
			o.log.Info("commands of a partition do not wait for a key any more", "group", o.group.Name(), "partition", p)
		}
	}
}

func (o *owner) forgetKeyWait(p int32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keyWaits[p] == nil {
		return false
	}
	delete(o.keyWaits, p)
	o.waitingForKeys.Add(-1)
	return true
}

// unsealable sorts the failures of a round that come from the codec: nil where this one does not.
func unsealable(err error) *suspension {
	class := muster.PayloadFaultOf(err)
	if wait, waits := errors.AsType[*muster.PayloadWait](err); waits {
		return &suspension{partitions: []int32{wait.Partition}, why: class.Reason(), cause: err, act: actAwaitKeys}
	}
	fault, state := errors.AsType[*muster.StateFault](err)
	if !state || !stops(class) {
		return nil
	}
	return &suspension{partitions: []int32{fault.Partition}, why: class.Reason(), cause: err, act: actStop}
}

// stops tells whether a fault of a payload in journal or store stops its partition. A state that was tampered with is made anew from the journal, and
// one that belongs to an erased subject, too.
func stops(class muster.PayloadFault) bool {
	return class == muster.FaultMissing || class == muster.FaultFormat
}

// foldReason gives the stable word for why an event stops its partition.
func foldReason(fault *muster.FoldFault) string {
	if class := muster.PayloadFaultOf(fault); class != muster.FaultUndecodable {
		return class.Reason()
	}
	return "fold"
}

// recoverable tells what becomes of a recovery that failed on a stored state: stop is the reason to stop the partition, empty where there is none;
// rebuild says that its rows are to be dropped.
func recoverable(err error) (stop string, rebuild bool) {
	if _, state := errors.AsType[*muster.StateFault](err); !state {
		return "", false
	}
	class := muster.PayloadFaultOf(err)
	if stops(class) {
		return class.Reason(), false
	}
	return "", !class.Passing()
}
