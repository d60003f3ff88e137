import test from 'ava';
import { type AutoManagementSettings, wantedAutoChange } from '../../../src/domain/registry/auto-management.js';
import type { BreakerOverride } from '../../../src/domain/registry/extension.js';

type State = 'closed' | 'open' | 'half_open';
type Wanted = 'auto_disable' | 'auto_enable' | null;

const BOTH: AutoManagementSettings = { autoDisableOnCircuitOpen: true, autoEnableOnCircuitClose: true };
const NO_DISABLE = { ...BOTH, autoDisableOnCircuitOpen: false };
const NO_ENABLE = { ...BOTH, autoEnableOnCircuitClose: false };

const ROWS = {
  on: { enabled: true, autoDisabled: false },
  'auto-disabled': { enabled: false, autoDisabled: true },
  'off by a person': { enabled: false, autoDisabled: false },
} as const;

const WINDOW_MS = 60_000;
/** Longest damping possible, so that what is asked of an open or half-open breaker shows that it does not matter. */
const FLAPPED = { recoveries: 9, closedForMs: 0, windowMs: WINDOW_MS };
const STEADY = { recoveries: 1, closedForMs: 0, windowMs: WINDOW_MS };

const wanted = test.macro<
  [id: string, row: keyof typeof ROWS, state: State, expected: Wanted, settings?: AutoManagementSettings]
>({
  exec(t, _, row, state, expected, settings = BOTH) {
    const override = (breakerOverride: BreakerOverride | null) =>
      wantedAutoChange({ ...ROWS[row], breakerOverride }, state, state === 'closed' ? STEADY : FLAPPED, settings);
    t.is(override(null), expected);
    t.is(override('isolated'), null);
    t.is(override('forced_closed'), null);
  },
  title: (_, id, row, state, expected, settings = BOTH) =>
    `${id}: ${expected ?? 'nothing'} is wanted where the row is ${row} and the breaker ${state}, never under an override, with ${JSON.stringify(settings)}`,
});

test(wanted, 'A1', 'on', 'open', 'auto_disable');
test(wanted, 'A1', 'on', 'open', 'auto_disable', NO_ENABLE);
test(wanted, 'A1', 'on', 'open', null, NO_DISABLE);
test(wanted, 'A1', 'auto-disabled', 'open', null);
test(wanted, 'A1', 'off by a person', 'open', null);
test(wanted, 'A2', 'auto-disabled', 'closed', 'auto_enable');
test(wanted, 'A2', 'auto-disabled', 'closed', 'auto_enable', NO_DISABLE);
test(wanted, 'A2', 'auto-disabled', 'closed', null, NO_ENABLE);
test(wanted, 'A2', 'on', 'closed', null);
test(wanted, 'AUTO-MANAGEMENT-2, FM 38', 'off by a person', 'closed', null);
test(wanted, 'A3', 'on', 'half_open', null);
test(wanted, 'A3', 'auto-disabled', 'half_open', null);
test(wanted, 'AUTO-MANAGEMENT-3, FM 38', 'off by a person', 'half_open', null);

const enabling = test.macro<
  [
    what: string,
    recoveries: number,
    closedForMs: number,
    expected: 'auto_enable' | 'damped' | null,
    row?: keyof typeof ROWS,
    settings?: AutoManagementSettings,
  ]
>({
  exec(t, _, recoveries, closedForMs, expected, row = 'auto-disabled', settings = BOTH) {
    const recovery = { recoveries, closedForMs, windowMs: WINDOW_MS };
    const extension = { ...ROWS[row], breakerOverride: null };
    t.is(wantedAutoChange(extension, 'closed', recovery, settings), expected);
  },
  title: (_, what) => `AUTO-MANAGEMENT-4: ${what}`,
});
test(enabling, 'the first recovery enables at once', 1, 0, 'auto_enable');
test(enabling, 'one without any recovery, such as a reset, enables at once', 0, 0, 'auto_enable');
test(enabling, 'the second in a row waits', 2, 0, 'damped');
test(enabling, 'it waits until the last moment of the window', 2, WINDOW_MS - 1, 'damped');
test(enabling, 'it enables when it has been closed for a window', 2, WINDOW_MS, 'auto_enable');
test(enabling, 'nothing waits where nothing is to be enabled', 9, 0, null, 'on');
test(enabling, 'nothing waits for what a person disabled', 9, 0, null, 'off by a person');
test(enabling, 'nothing waits where a person has to enable', 9, 0, null, 'auto-disabled', NO_ENABLE);
