// Messages without a body and headers, for what is about calls and not about the wire.
import type { CallerMessage, Reply, Route } from '../../src/actors/ports/transport.js';

export const NO_MESSAGE: CallerMessage = {
  headers: { forwarded: '', traceBefore: '', traceParentId: '', traceAfter: '' },
  tenantHeader: '',
  hops: 1,
  body: new Uint8Array(),
};

export const NO_REPLY: Reply = {
  body: new Uint8Array(),
  forwardedHeaders: '',
  serviceErrorCode: 0,
  serviceError: '',
  retryAfterMs: null,
};

/** Those of a route. */
export const NO_BLOCKS: Pick<Route, 'requestBlock' | 'checkBlock' | 'replyBlock'> = {
  requestBlock: () => '',
  checkBlock: () => '',
  replyBlock: () => '',
};
