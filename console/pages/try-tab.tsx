// A real call, as a caller would make it: it asks first, and shows what came back.
import { type Signal, useSignal } from '@preact/signals';
import { pending } from '../actions/action.js';
import { tryWords } from '../actions/texts.js';
import { type Problem, problemOf, request } from '../live/api.js';
import { may } from '../live/session.js';
import { CONTEXT_KEYS, filled, Pairs } from '../parts/pairs.js';
import { Fault } from '../parts/states.js';
import { count, ms, NONE } from '../words/numbers.js';

interface Answer {
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean };
  readonly version: string | null;
  readonly instance_id: string | null;
  readonly attempts: number | null;
  readonly duration_ms: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly body_encoding: 'utf-8' | 'base64';
  readonly truncated: boolean;
}

/** Why a text is no JSON; null: it is. */
function jsonProblem(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** `payload` as it was typed: no digit of it is lost. */
const bodyOf = (payload: string, rest: object): string =>
  `{"payload":${payload},${JSON.stringify(rest).slice(1)}`.replace(/,\}$/, '}');

export default function TryTab({ id }: { readonly id: string }) {
  const answer = useSignal<Answer | null>(null);
  const problem = useSignal<Problem | null>(null);
  const call = async (body: string) => {
    answer.value = null;
    problem.value = null;
    try {
      const path = `/admin/extensions/${encodeURIComponent(id)}/invoke`;
      answer.value = (await request<Answer>(path, { method: 'POST', body })).body;
    } catch (error) {
      problem.value = problemOf(error);
    }
    return null;
  };
  if (!may('operator')) return <p>A call may change things: it needs the role operator.</p>;
  return (
    <>
      <Form
        onCall={(body) => {
          pending.value = { id, words: () => tryWords(id), reason: null, typed: null, run: () => call(body) };
        }}
      />
      {problem.value === null ? null : (
        <Fault what="Not called" detail={problem.value.detail} code={problem.value.code} />
      )}
      {answer.value === null ? null : <Result answer={answer.value} />}
    </>
  );
}

/** `onCall`: with the body of the request. */
function Form({ onCall }: { readonly onCall: (body: string) => void }) {
  const payload = useSignal('{}');
  const context = useSignal<readonly (readonly [string, string])[]>([]);
  const headers = useSignal<readonly (readonly [string, string])[]>([]);
  const timeout = useSignal('');
  const invalid = jsonProblem(payload.value);
  const call = () =>
    onCall(
      bodyOf(payload.value, {
        context: Object.fromEntries(filled(context.value)),
        headers: Object.fromEntries(filled(headers.value)),
        ...(timeout.value.trim() === '' ? {} : { timeout_ms: Number(timeout.value) }),
      }),
    );
  return (
    <>
      <label class="field">
        <span>Payload, any JSON</span>
        <textarea rows={6} spellcheck={false} value={payload.value} onInput={(event) => take(payload, event)} />
      </label>
      {invalid === null ? null : <p class="bad">This is no JSON: {invalid}</p>}
      <Pairs legend="Context" pairs={context.value} known={CONTEXT_KEYS} onChange={(next) => set(context, next)} />
      <Pairs legend="Headers" pairs={headers.value} onChange={(next) => set(headers, next)} />
      <label class="field small-field">
        <span>Budget, ms (empty: 20 s)</span>
        <input type="number" min="1" max="25000" value={timeout.value} onInput={(event) => take(timeout, event)} />
      </label>
      <p>
        <button type="button" class="main-button" disabled={invalid !== null} onClick={call}>
          Call
        </button>{' '}
        <span class="dim">This is a real call: it counts for its health and may change things.</span>
      </p>
    </>
  );
}

function set<T>(signal: Signal<T>, value: T): void {
  signal.value = value;
}

const take = (
  signal: Signal<string>,
  { currentTarget }: { readonly currentTarget: { readonly value: string } },
): void => set(signal, currentTarget.value);

function Result({ answer }: { readonly answer: Answer }) {
  const {
    ok,
    error,
    version,
    instance_id: instance,
    attempts,
    duration_ms: duration,
    headers,
    body,
    truncated,
  } = answer;
  return (
    <section aria-labelledby="result-title" role="status">
      <h2 id="result-title">{ok ? 'It answered' : `Error ${error?.code ?? ''}`}</h2>
      {error === undefined ? null : (
        <p class="fault">
          {error.message} {error.retryable ? 'A retry may help.' : ''}
        </p>
      )}
      <p>
        {ms(duration)} ms · version {version ?? NONE} · instance {instance ?? NONE} · {count(attempts)} attempts
      </p>
      {Object.entries(headers).map(([name, value]) => (
        <p key={name}>
          <code>
            {name}: {value}
          </code>
        </p>
      ))}
      {body === '' ? null : <pre>{body}</pre>}
      {truncated ? <p class="dim">The answer is longer: the first 64 KiB are here.</p> : null}
      {answer.body_encoding === 'base64' ? <p class="dim">It is no text: shown as base64.</p> : null}
    </section>
  );
}
