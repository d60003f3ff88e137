// The one table of what the admin API refuses. docs/errors.md is compared with it by a test; problem.ts has the form of the answer.

export const HTTP_ERRORS = {
  invalid_request: { status: 400, when: 'a malformed request, id or parameter' },
  unauthenticated: {
    status: 401,
    when: 'a token is needed, and there is none, or it is unknown, expired or revoked; or a login code that is not valid any more',
  },
  forbidden: { status: 403, when: 'the role of the token does not allow it; `needs` names the role that does' },
  host_not_allowed: {
    status: 403,
    when: 'the Host header is neither loopback, the listening address, nor among `http_hosts` and `http_public_url`',
  },
  origin_not_allowed: { status: 403, when: 'a request of a page of another origin or site' },
  extension_not_found: { status: 404, when: 'no such extension' },
  version_not_found: { status: 404, when: 'no such version of the extension' },
  instance_not_found: { status: 404, when: 'no such instance of the extension' },
  token_not_found: { status: 404, when: 'no such access token' },
  route_not_found: { status: 404, when: 'no such path' },
  method_not_allowed: { status: 405, when: 'the path has no such method; `Allow` names those it has' },
  request_timeout: { status: 408, when: 'the request did not arrive in time' },
  already_exists: { status: 409, when: 'a row of that name exists; PUT replaces it' },
  version_has_rules: { status: 409, when: 'a version with routing rules cannot have a rollout percentage' },
  rollout_over_100: {
    status: 409,
    when: 'the rollout percentages of the enabled versions would add up to more than 100',
  },
  rollout_keys_differ: { status: 409, when: 'the versions in the rollout would have different rollout keys' },
  revision_conflict: {
    status: 412,
    when: 'the row is in another revision than `If-Match` says, or exists against `If-None-Match: *`; 409 if it is the `revision` in the body that does not fit. `revision`, `changed_by` and `changed_at` say what it is now',
  },
  payload_too_large: { status: 413, when: 'the body is too large' },
  uri_too_long: { status: 414, when: 'a part of the path is too long' },
  unsupported_media_type: { status: 415, when: 'the body is not `application/json`' },
  row_invalid: {
    status: 422,
    when: 'the registry would refuse such a row; `problems` holds each with its JSON pointer',
  },
  upgrade_required: {
    status: 426,
    when: 'the path is a WebSocket, and the request is not a valid WebSocket handshake',
  },
  precondition_required: { status: 428, when: 'a change of a row without `If-Match` or `If-None-Match`' },
  too_many_requests: {
    status: 429,
    when: 'too many wrong tokens or codes from this address within a minute, too many replays at a time, or too many scrapes that their clients do not take',
  },
  headers_too_large: { status: 431, when: 'the headers are larger than 16 KiB' },
  internal_error: { status: 500, when: 'a fault of the daemon; its log has the cause' },
  database_unavailable: {
    status: 503,
    when: 'the request needs the database, which is away; `/readyz` reports it too',
  },
  shutting_down: { status: 503, when: 'the daemon is stopping' },
  too_many_streams: { status: 503, when: 'as many event streams are open as are allowed, in all or for this token' },
} as const satisfies Record<string, { status: number; when: string }>;

export type HttpErrorCode = keyof typeof HTTP_ERRORS;
