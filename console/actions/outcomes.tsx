// The results of the last actions, each with its undo where there is one.
import { problemOf } from '../live/api.js';
import { dismiss, outcomes, report } from './action.js';

export function Outcomes() {
  const undo = (n: number, run: () => Promise<Parameters<typeof report>[0]>) => {
    dismiss(n);
    run().then(report, (error) => report({ text: `Not undone: ${problemOf(error).detail}` }));
  };
  return (
    <div class="outcomes" role="status">
      {outcomes.value.map(({ n, text, undo: back }) => (
        <p key={n} class="outcome">
          {text}{' '}
          {back === undefined ? null : (
            <button type="button" onClick={() => undo(n, back[1])}>
              Undo: {back[0]}
            </button>
          )}{' '}
          <button type="button" class="quiet" aria-label="Close this line" onClick={() => dismiss(n)}>
            ✕
          </button>
        </p>
      ))}
    </div>
  );
}
