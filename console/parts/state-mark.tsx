// A state: its symbol, its word, its colour.
import { type BoardState, symbolOf, wordOf } from '../words/states.js';

export function StateMark({ state, notes = [] }: { readonly state: BoardState; readonly notes?: readonly string[] }) {
  return (
    <span class="state" data-state={state}>
      <span aria-hidden="true" class="state-symbol">
        {symbolOf(state)}
      </span>{' '}
      <span>{wordOf(state)}</span>
      {notes.map((note) => (
        <span key={note} class="note">
          {' '}
          {note}
        </span>
      ))}
    </span>
  );
}
