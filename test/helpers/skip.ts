// A test that cannot run on this machine is skipped and says why: the reason ends its title, which `npm test` prints.
import type { ImplementationFn } from 'ava';

type Declare = (title: string, implementation: ImplementationFn<[]>) => void;

/** `test` or `test.serial`; with a reason its title is `<title>: <reason>`, and it is skipped. `reason` null: it runs. */
export const unless =
  (reason: string | null, test: Declare & { readonly skip: Declare }): Declare =>
  (title, implementation) =>
    reason === null ? test(title, implementation) : test.skip(`${title}: ${reason}`, implementation);
