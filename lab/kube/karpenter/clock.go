package main

import (
	"time"

	realclock "k8s.io/utils/clock"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
)

// clock tells the real time, as the API server's stamps have it, and makes pauses short.
type clock struct {
	realclock.RealClock
	scale float64
}

func (c clock) After(pause time.Duration) <-chan time.Time {
	return c.RealClock.After(scaled(pause, c.scale))
}

// shortened lets Karpenter read NodePools whose empty nodes go sooner than they say.
func shortened(scale float64) func(any) (any, error) {
	return func(object any) (any, error) {
		if pool, ok := object.(*v1.NodePool); ok {
			if after := pool.Spec.Disruption.ConsolidateAfter.Duration; after != nil {
				short := scaled(*after, scale)
				pool.Spec.Disruption.ConsolidateAfter.Duration = &short
			}
		}
		return object, nil
	}
}

func scaled(pause time.Duration, scale float64) time.Duration {
	return time.Duration(float64(pause) * scale)
}
