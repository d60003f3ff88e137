// Why the admin API cannot be served, in a separate file: code that only has to recognise it loads no server.

/** The address cannot be listened on; the message says why and what to do. */
export class HttpStartError extends Error {
  override readonly name = 'HttpStartError';
}
