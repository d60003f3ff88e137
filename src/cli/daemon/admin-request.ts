// One request to the admin API: its answer, or the sentence that ends the command.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { CommandError, EXIT } from '../process/command-error.js';

const REQUEST_TIMEOUT_MS = 10_000;

interface Request {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly text: string;
}

/** Throws what the answer says if it is an error. Not by fetch(), which refuses some ports that a daemon may well have. */
export async function adminRequest(url: string, { method, headers = {}, text: body }: Request): Promise<Answer> {
  const noAnswer = (reason: string) => new CommandError(EXIT.unreachable, `${url} gave no answer: ${reason}`);
  const overdue = new AbortController();
  const timer = setTimeout(() => overdue.abort(), REQUEST_TIMEOUT_MS);
  let answer: Answer;
  try {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(url, { agent: false, signal: overdue.signal, method, headers: { ...type, ...headers } });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    answer = { status: response.statusCode ?? 0, etag: response.headers.etag ?? null, text: await text(response) };
  } catch (error) {
    throw noAnswer((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
  const { status } = answer;
  if (status >= 200 && status < 300) return answer;
  let refusal: Refusal;
  try {
    refusal = JSON.parse(answer.text) as Refusal;
  } catch {
    throw noAnswer(NO_REGISTRY);
  }
  throw new CommandError(EXIT.answeredWithError, refusalText(status, refusal));
}

interface Refusal {
  readonly error?: { readonly code?: string; readonly message?: string };
  /** Each of them, if there are several; `error.message` has the first. */
  readonly problems?: readonly { readonly message: string }[];
}

function refusalText(status: number, { error, problems = [] }: Refusal): string {
  const code = error?.code ?? String(status);
  if (problems.length > 1) return `${code}:${problems.map(({ message }) => `\n  ${message}`).join('')}`;
  return `${code}: ${error?.message ?? 'no reason given'}`;
}

const NO_REGISTRY = 'the server at that address is not an extension registry';

/** GET, or POST of `body`. */
export async function adminJson(url: string, body?: object): Promise<unknown> {
  const { text: answer } = await adminRequest(
    url,
    body === undefined ? { method: 'GET' } : { method: 'POST', text: JSON.stringify(body) },
  );
  try {
    return JSON.parse(answer);
  } catch {
    throw new CommandError(EXIT.unreachable, `${url} gave no answer: ${NO_REGISTRY}`);
  }
}
