// One request to the admin API: its answer, or the sentence that ends the command.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { CommandError, EXIT } from '../process/command-error.js';

const REQUEST_TIMEOUT_MS = 10_000;

/** GET, or POST of `body`. Not by fetch(), which refuses some ports that a daemon may well have. */
export async function adminJson(url: string, body?: object): Promise<unknown> {
  const noAnswer = (reason: string) => new CommandError(EXIT.unreachable, `${url} gave no answer: ${reason}`);
  let status: number;
  let answer: unknown;
  const overdue = new AbortController();
  const timer = setTimeout(() => overdue.abort(), REQUEST_TIMEOUT_MS);
  try {
    const sent = request(url, {
      agent: false,
      signal: overdue.signal,
      ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' } }),
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    status = response.statusCode ?? 0;
    answer = JSON.parse(await text(response));
  } catch (error) {
    if (error instanceof SyntaxError) throw noAnswer('what listens there is no extension registry');
    throw noAnswer((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
  if (status === 200) return answer;
  const { error } = answer as { error?: { code?: string; message?: string } };
  throw new CommandError(EXIT.answeredWithError, `${error?.code ?? status}: ${error?.message ?? 'no reason given'}`);
}
