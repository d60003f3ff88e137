// The dialog of an action: the question, what happens to callers now, the reason, and the result.
//
// ACTION-DIALOG-1. Nothing is done by Enter but from the reason, and nothing while the page is cut off.
// ACTION-DIALOG-2. What was typed stays through errors, conflicts and a restart of the daemon.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { type Problem, problemOf, read } from '../live/api.js';
import { isOpen } from '../live/session.js';
import { Dialog } from '../parts/dialog.js';
import { changeLine } from '../words/why.js';
import { type Action, pending, report } from './action.js';

const NAME = 'extreg-by';

export function ActionDialog({ isCut }: { readonly isCut: boolean }) {
  const action = pending.value;
  if (action === null) return null;
  return <Question key="question" action={action} isCut={isCut} />;
}

function Question({ action, isCut }: { readonly action: Action; readonly isCut: boolean }) {
  const form = useForm(action, isCut);
  const { question, text, verb } = action.words();
  return (
    <Dialog title={question} onClose={close}>
      <p>{text}</p>
      {action.share === undefined ? null : (
        <Field
          label="Percent of the callers; empty: none by a share"
          value={action.share.value}
          onInput={action.share.set}
        />
      )}
      {action.typed === null ? null : <Field label={`Type ${action.typed} to confirm`} {...form.typed} />}
      {action.reason === null ? null : (
        <Field
          label={`Reason, for the audit trail${action.reason === 'optional' ? ' (optional)' : ''}`}
          isFirst
          onEnter={form.run}
          {...form.reason}
        />
      )}
      {isOpen.value && action.reason !== null ? (
        <Field label="Your name, for the audit trail (optional)" {...form.by} />
      ) : null}
      {form.problem === null ? null : <Refusal problem={form.problem} id={action.id} />}
      {isCut ? <p class="fault">Not connected: nothing can be done now.</p> : null}
      <p class="dialog-buttons">
        <button type="button" onClick={close} data-first={action.reason === null ? '' : undefined}>
          Leave
        </button>
        <button type="button" class="main-button" disabled={!form.isReady} onClick={form.run}>
          {form.isBusy ? `${verb} …` : verb}
        </button>
      </p>
    </Dialog>
  );
}

const close = (): void => {
  pending.value = null;
};

/** What was typed, and what the button does with it. */
function useForm(action: Action, isCut: boolean) {
  const reason = useText('');
  const typed = useText('');
  const by = useText(localStorage.getItem(NAME) ?? '');
  const problem = useSignal<Problem | null>(null);
  const isBusy = useSignal(false);
  // A dialog that was left while its request was under way closes no other one.
  const isOpenYet = useRef(true);
  useEffect(
    () => () => {
      isOpenYet.current = false;
    },
    [],
  );
  const isReady =
    !isCut &&
    !isBusy.value &&
    action.share?.isValid !== false &&
    (action.reason !== 'required' || reason.value.trim() !== '') &&
    (action.typed === null || typed.value === action.typed);
  const run = async () => {
    if (!isReady) return;
    isBusy.value = true;
    problem.value = null;
    const name = by.value.trim();
    if (isOpen.value) localStorage.setItem(NAME, name);
    try {
      const order = { reason: reason.value.trim() || null, by: isOpen.value && name !== '' ? name : undefined };
      const done = await action.run(order);
      if (done !== null) report(done);
      if (isOpenYet.current) close();
    } catch (error) {
      problem.value = problemOf(error);
      if (!isOpenYet.current) report({ text: `Not done: ${action.words().question} ${problem.value.detail}` });
      const { revision, status } = problem.value;
      if (status === 412 && typeof revision === 'number') action.onConflict?.(revision);
    } finally {
      isBusy.value = false;
    }
  };
  return { reason, typed, by, problem: problem.value, isBusy: isBusy.value, isReady, run };
}

/** As a field takes it. */
function useText(initial: string): Pick<FieldProps, 'value' | 'onInput'> {
  const text = useSignal(initial);
  return {
    value: text.value,
    onInput: (value) => {
      text.value = value;
    },
  };
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly onEnter?: () => void;
  readonly isFirst?: boolean;
}

/** ACTION-DIALOG-1. */
function Field({ label, value, onInput, onEnter, isFirst = false }: FieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        maxLength={1000}
        autoComplete="off"
        spellcheck={false}
        data-first={isFirst ? '' : undefined}
        value={value}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.isComposing) onEnter?.();
        }}
      />
    </label>
  );
}

/** ACTION-DIALOG-2. A conflict says what changed meanwhile, and by whom. */
function Refusal({ problem, id }: { readonly problem: Problem; readonly id: string }) {
  const changes = useSignal<readonly string[]>([]);
  useEffect(() => {
    changes.value = [];
    if (problem.status !== 412) return;
    read<AuditPageAnswer>(`/admin/audit?extension_id=${encodeURIComponent(id)}&limit=3`).then(
      ({ items }) => {
        changes.value = items.map((row) => `${changeLine(row)}${row.reason === null ? '' : `: ${row.reason}`}`);
      },
      () => undefined,
    );
  }, [problem]);
  return (
    <div class="fault" role="alert">
      <p>
        {problem.detail} <code>{problem.code}</code>
      </p>
      {changes.value.length === 0 ? null : (
        <ul>
          {changes.value.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {problem.status === 412 ? <p>Press the button again to do it all the same.</p> : null}
    </div>
  );
}
