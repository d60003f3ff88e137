// The admin API, as the pages ask it: JSON in, JSON out, and one form of error.
//
// API-1. A request that is refused for want of a valid token forgets the token (SESSION-1).
// API-2. What went wrong is an ApiError with the daemon's own words, also where no daemon answered.
import { refused, token } from './session.js';

/** What RFC 9457 calls a problem. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** `status` 0: nothing was answered. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

interface Answer<T> {
  readonly body: T;
  readonly status: number;
  readonly etag: string | null;
}

interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that are answers, not errors. */
  readonly expect?: readonly number[];
  /** How much of the body has come. */
  readonly onBytes?: (bytes: number) => void;
}

/** The response as it is: of streams. Rejects with an ApiError where nothing was answered, or it was refused (API-1). */
export async function send(
  path: string,
  { method = 'GET', body, headers = {}, signal }: RequestOptions = {},
): Promise<Response> {
  const sent = token();
  const all: Record<string, string> = { ...headers };
  if (sent !== null) all.authorization = `Bearer ${sent}`;
  if (body !== undefined) all['content-type'] ??= 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: all,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      cache: 'no-store',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError({ status: 0, code: 'not_connected', detail: 'The daemon does not answer' });
  }
  if (response.status === 401) refused(sent, Date.now());
  return response;
}

export async function request<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
  const response = await send(path, options);
  const { status } = response;
  if (!response.ok && !options.expect?.includes(status)) throw new ApiError(await problemIn(response));
  const isEmpty = status === 204 || status === 304;
  return {
    body: (isEmpty ? null : await jsonOf(response, options)) as T,
    status,
    etag: response.headers.get('etag'),
  };
}

/** API-2. */
async function jsonOf(response: Response, { onBytes, signal }: RequestOptions): Promise<unknown> {
  try {
    return await parsed(response, onBytes);
  } catch (error) {
    if (signal?.aborted) throw error;
    const detail = 'The answer is cut off, or not of the daemon';
    throw new ApiError({ status: response.status, code: 'invalid_answer', detail });
  }
}

async function parsed(response: Response, onBytes: RequestOptions['onBytes']): Promise<unknown> {
  if (onBytes === undefined || response.body === null) return response.json();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return JSON.parse(await new Blob(parts).text());
    parts.push(value as Uint8Array<ArrayBuffer>);
    bytes += value.length;
    onBytes(bytes);
  }
}

export const read = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await request<T>(path, { signal })).body;

/** API-2. */
async function problemIn(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  const text = await response.text().catch(() => '');
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.detail === 'string') return problem;
  } catch {
    // Not of the daemon: of a proxy before it.
  }
  return { status, code: `http_${status}`, detail: `The answer was ${status} ${statusText}` };
}

/** Any failure as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return { status: 0, code: 'internal_error', detail: error instanceof Error ? error.message : String(error) };
}
