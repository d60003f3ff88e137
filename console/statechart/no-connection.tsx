// Why there is nothing new of an actor.
import { nowMs } from '../live/clock.js';
import { Fault } from '../parts/states.js';
import { duration, moment } from '../words/times.js';
import type { ConnectionState } from './actor-connection.js';

interface NoConnectionProps {
  readonly state: ConnectionState;
  readonly onRetry: () => void;
}

export function NoConnection({ state, onRetry }: NoConnectionProps) {
  switch (state.kind) {
    case 'live':
    case 'connecting':
      return null;
    case 'lost': {
      const since = moment(new Date(state.sinceMs), new Date());
      // The signal ticks once a second; the attempt is of the reader's clock.
      nowMs.value;
      const wait = Math.max(state.retryAtMs - Date.now(), 0);
      return (
        <Fault
          what={`Not connected since ${since}`}
          detail={`${state.why}. What is shown is from then. Tried again ${wait < 1000 ? 'now' : `in ${duration(wait)}`}.`}
          onRetry={onRetry}
        />
      );
    }
    case 'unknown':
      return (
        <Fault
          what="Nothing to inspect"
          detail={`${state.why}. It is asked for again every few seconds.`}
          onRetry={onRetry}
        />
      );
    case 'signed_out':
      return <Fault what="Signed out" detail="The inspection needs a valid sign-in." />;
    case 'refused':
      return <Fault what="Refused" detail={state.why} />;
    default:
      return state satisfies never;
  }
}
