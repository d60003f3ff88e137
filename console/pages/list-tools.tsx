// Search and filters above the list. What they are set to is in the address.
import { useRef } from 'preact/hooks';
import { EXTENSION_TYPES } from '../../src/domain/registry/extension.js';
import { membership, rowCount } from '../live/board.js';
import { setQuery } from '../url/address.js';
import { usePageKeys } from '../url/keys.js';
import { some } from '../words/numbers.js';
import { BOARD_STATES, FLAGS, flagWord, wordOf } from '../words/states.js';
import { filter, isFrozen, shown, sortNow } from './list-order.js';
import { isFiltered } from './list-query.js';

export function ListTools() {
  const search = useRef<HTMLInputElement>(null);
  usePageKeys({ '/': () => search.current?.focus() });
  const { q, states, types, flags } = filter.value;
  return (
    <search class="tools">
      <input
        ref={search}
        type="search"
        aria-label="Search by id"
        placeholder="search  /"
        value={q}
        onInput={({ currentTarget }) => setQuery({ q: currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <Choice
        name="state"
        values={BOARD_STATES}
        chosen={states}
        word={(one) => wordOf(one as (typeof BOARD_STATES)[number])}
      />
      <Choice name="type" values={EXTENSION_TYPES} chosen={types} word={(one) => one} />
      <Choice
        name="flag"
        values={['wrong', ...Object.keys(FLAGS)]}
        chosen={flags}
        word={(one) => (one === 'wrong' ? 'needs a look' : flagWord(one))}
      />
      {isFiltered(filter.value) ? (
        <button type="button" class="quiet" onClick={clearFilter}>
          Clear
        </button>
      ) : null}
      <span class="tools-end">
        <Count />
        {isFrozen.value ? (
          <>
            <span class="dim">order frozen</span>
            <button type="button" class="quiet" title="Sort now (s)" onClick={sortNow}>
              Sort now
            </button>
          </>
        ) : null}
      </span>
    </search>
  );
}

export const clearFilter = (): void => setQuery({ q: null, state: null, type: null, flag: null });

function Count() {
  membership.value;
  const [few, all] = [shown.value.length, rowCount()];
  return <span>{few === all ? some(all, 'row') : `${some(few, 'row')} of ${some(all, 'row')}`}</span>;
}

interface ChoiceProps {
  readonly name: string;
  readonly values: readonly string[];
  readonly chosen: readonly string[];
  readonly word: (value: string) => string;
}

/** A list of boxes to tick behind a button of the browser's own. */
function Choice({ name, values, chosen, word }: ChoiceProps) {
  const toggle = (value: string) => {
    const next = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
    setQuery({ [name]: next.join(',') });
  };
  return (
    <details
      class="choice"
      onKeyDown={(event) => {
        if (event.key === 'Escape') event.currentTarget.open = false;
      }}
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) event.currentTarget.open = false;
      }}
    >
      <summary>
        {name}
        {chosen.length === 0 ? '' : `: ${chosen.map(word).join(', ')}`}
      </summary>
      <fieldset>
        <legend class="visually-hidden">{name}</legend>
        {values.map((value) => (
          <label key={value}>
            <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} /> {word(value)}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
