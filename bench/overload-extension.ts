// The extension of the benchmark of overload: a short answer, so that it costs the machine little.
import { connectTo, EXTENSION_SUBJECT, report, serverUrl } from './client.js';

const ANSWER = Buffer.from('{"ok":true}');
const client = await connectTo(serverUrl(), 'extension');
client.subscribe(EXTENSION_SUBJECT, {
  queue: 'extension',
  callback: (error, request) => {
    if (error === null) request.respond(ANSWER);
  },
});
await client.flush();
report();
