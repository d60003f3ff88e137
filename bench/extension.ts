// The extension: answers each request with the body it was sent.
import { connectTo, EXTENSION_SUBJECT, report, serverUrl } from './wire.js';

const client = await connectTo(serverUrl(), 'extension');
client.subscribe(EXTENSION_SUBJECT, {
  queue: 'extension',
  callback: (error, request) => {
    if (error === null) request.respond(request.data);
  },
});
await client.flush();
report();
