// The extension: answers each request with the body it was sent.
import { connectTo, EXTENSION_SUBJECT, report, serverUrl } from './client.js';

const client = await connectTo(serverUrl(), 'extension');
for (const subject of [EXTENSION_SUBJECT, `${EXTENSION_SUBJECT}.*`])
  client.subscribe(subject, {
    queue: 'extension',
    callback: (error, request) => {
      if (error === null) request.respond(request.data);
    },
  });
await client.flush();
report();
