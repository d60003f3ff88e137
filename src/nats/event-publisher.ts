// Events of the registry on NATS, for any subscriber. Losing one loses nothing: the log and the audit trail have it.
import type { PublishEvent } from '../actors/ports/transport.js';
import type { BrokerConnection } from './connection/connection.js';
import type { Subjects } from './wire/subjects.js';

interface EventPublisher {
  readonly publish: PublishEvent;
  /** Events not sent because NATS was away or refused them. */
  dropped(): number;
}

export function createEventPublisher(connection: BrokerConnection, subjects: Subjects): EventPublisher {
  let dropped = 0;
  return {
    publish: (event) => {
      const body = Buffer.from(JSON.stringify(event));
      if (!connection.publish(subjects.event(event.event, event.extension_id), '', '', body)) dropped += 1;
    },
    dropped: () => dropped,
  };
}
