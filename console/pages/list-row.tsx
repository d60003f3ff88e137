// One row of the list of extensions. It redraws alone, when its own entry changes.
// biome-ignore-all lint/a11y/useSemanticElements: a table of 10 000 rows of which the document has those in view is an ARIA grid
// biome-ignore-all lint/a11y/useFocusableInteractive: its rows take the focus in turn, its cells do not

import { useEffect, useRef } from 'preact/hooks';
import type { BoardEntry } from '../../src/domain/board-codes.js';
import { VERB_WORDS, verbsFor } from '../actions/texts.js';
import { askVerb, factsOf } from '../actions/verb-actions.js';
import { drawSparkline, SPARKLINE_SIZE } from '../charts/sparkline.js';
import { lineOf } from '../charts/sparklines.js';
import type { Row } from '../live/board.js';
import { may } from '../live/session.js';
import { Menu } from '../parts/menu.js';
import { StateMark } from '../parts/state-mark.js';
import { extensionPath } from '../url/paths.js';
import { ms, percent, rate } from '../words/numbers.js';
import { flagWords, stateAt } from '../words/states.js';

interface ListRowProps {
  readonly row: Row;
  /** From 0. */
  readonly index: number;
  readonly isActive: boolean;
  /** The same function for all rows and renderings: a row whose properties stay is not drawn again. */
  readonly onFocus: (index: number) => void;
}

export function ListRow({ row, index, isActive, onFocus }: ListRowProps) {
  const entry = row.entry.value;
  const notes = flagWords(entry.flags);
  return (
    <div
      class="row"
      role="row"
      aria-rowindex={index + 2}
      data-row={index}
      data-odd={index % 2 === 1}
      tabIndex={isActive ? 0 : -1}
      onFocus={() => onFocus(index)}
    >
      <span role="gridcell" class="cell-id">
        <a href={extensionPath(entry.id)} tabIndex={-1} title={entry.id}>
          {entry.id}
        </a>
      </span>
      <span role="gridcell" class="cell-type">
        {entry.type}
      </span>
      <span role="gridcell" class="cell-version">
        {entry.version}
      </span>
      <span role="gridcell" class="cell-state">
        <StateMark state={stateAt(entry.state)} notes={notes} />
      </span>
      <span role="gridcell" class="measured number">
        {percent(entry.success_rate)}
      </span>
      <span role="gridcell" class="measured number cell-p50">
        {ms(entry.p50)}
      </span>
      <span role="gridcell" class="measured number cell-p95">
        {ms(entry.p95)}
      </span>
      <span role="gridcell" class="measured number cell-p99">
        {ms(entry.p99)}
      </span>
      <span role="gridcell" class="measured number">
        {rate(entry.calls)}
      </span>
      <span role="gridcell" class="measured number" data-bad={entry.refused + entry.failed > 0}>
        {rate(entry.refused + entry.failed)}
      </span>
      <span role="gridcell" class="cell-line">
        <Sparkline id={entry.id} />
      </span>
      <span role="gridcell" class="cell-actions">
        <RowActions entry={entry} />
      </span>
    </div>
  );
}

function RowActions({ entry }: { readonly entry: BoardEntry }) {
  if (!may('operator')) return null;
  const verbs = verbsFor(stateAt(entry.state), factsOf(entry).isAutoDisabled);
  const items = verbs.map((verb) => ({ label: `${VERB_WORDS[verb]} …`, run: () => askVerb(verb, entry.id) }));
  return <Menu label={`Actions of ${entry.id}`} items={items} />;
}

function Sparkline({ id }: { readonly id: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const line = lineOf(id).value;
  useEffect(() => {
    if (canvas.current !== null) drawSparkline(canvas.current, line);
  }, [line]);
  return <canvas ref={canvas} width={SPARKLINE_SIZE.width} height={SPARKLINE_SIZE.height} />;
}
