// A connection to the NATS of the daemon: NATS_URL and NATS_TOKEN, else what .extreg/daemon.json says.
import { readFileSync } from 'node:fs';
import { connect } from '@nats-io/transport-node';

export function connectToDaemon() {
  const { NATS_URL, NATS_TOKEN } = process.env;
  const { nats, nats_token } = NATS_URL
    ? { nats: NATS_URL, nats_token: NATS_TOKEN }
    : JSON.parse(readFileSync('.extreg/daemon.json', 'utf8'));
  return connect({ servers: nats, ...(nats_token ? { token: nats_token } : {}), maxReconnectAttempts: -1 });
}
