import test from 'ava';
import { type AutoManagementSettings, wantedAutoChange } from '../../src/domain/auto-management.js';
import type { BreakerOverride } from '../../src/domain/extension.js';

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

const wanted = test.macro<
  [id: string, row: keyof typeof ROWS, state: State, expected: Wanted, settings?: AutoManagementSettings]
>({
  exec(t, _, row, state, expected, settings = BOTH) {
    const override = (breakerOverride: BreakerOverride | null) =>
      wantedAutoChange({ ...ROWS[row], breakerOverride }, state, settings);
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
test(wanted, 'A2, FM 38', 'off by a person', 'closed', null);
test(wanted, 'A3', 'on', 'half_open', null);
test(wanted, 'A3', 'auto-disabled', 'half_open', null);
test(wanted, 'A3, FM 38', 'off by a person', 'half_open', null);
