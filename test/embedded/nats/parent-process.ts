// A process that starts an embedded server, says what it started, and waits for its end: node parent-process.js <data dir> <port>.

import { findNatsServer, startEmbeddedServer } from '../../../src/embedded/nats/embedded-server.js';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import { silentLogger } from '../../../src/telemetry/log.js';

const [dataDir, port] = process.argv.slice(2);
if (dataDir === undefined || port === undefined) throw new Error('usage: parent-process.js <data dir> <port>');
const binary = findNatsServer(dataDir, process.env);
if (binary === null) throw new Error('no nats-server');
const server = await startEmbeddedServer({ dataDir, binary, log: silentLogger, preferredPort: Number(port) });
const connection = BrokerConnection.open({ url: server.url, token: server.token, name: 'parent' }, silentLogger);
await connection.firstConnected;
process.on('SIGINT', () => process.send?.({ interrupted: true, connected: connection.connected }));
process.send?.({ port: server.port });
