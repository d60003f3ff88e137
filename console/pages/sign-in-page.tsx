// `/ui/sign-in`: by a token, or by the address that `extreg console` prints. It says why one is here, and leads back.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { readWhoami } from '../live/connection.js';
import { type LeaveReason, left, remember, whoami } from '../live/session.js';
import { codeProblem, signInWith } from '../live/sign-in.js';
import { go, queryValue } from '../url/address.js';

const WHY: Readonly<Record<LeaveReason, string>> = {
  signed_out: 'You signed out.',
  revoked: 'Your token was revoked: it is not valid any more, and this page has forgotten it.',
  expired: 'Your sign-in has expired, and this page has forgotten it.',
  unknown: 'The token of this tab is not valid any more: it was revoked or has expired. This page has forgotten it.',
  never: 'This registry asks for a token.',
};

/** Only a page of the console: an address may come from anywhere. */
const pageOf = (to: string): string => (/^\/(?:$|\?|ui(?:\/|$))/.test(to) ? to : '/');

export default function SignInPage() {
  const why = left.value;
  const who = whoami.value;
  const to = pageOf(queryValue('to'));
  useEffect(() => {
    if (left.value === null && whoami.value?.auth === 'required' && queryValue('to') !== '') go(to, { replaces: true });
  }, [left.value, whoami.value]);
  return (
    <div class="page sign-in">
      <h1>Sign in</h1>
      {why === null ? null : <p>{WHY[why]}</p>}
      {why === null && who !== null ? (
        <p>
          {who.kind === 'open'
            ? 'This registry asks for no token yet: you may do everything.'
            : `You are signed in as ${who.name}, ${who.role}. Another token replaces this one.`}
        </p>
      ) : null}
      <SignInForm onDone={() => go(to, { replaces: true })} />
      <h2>Where a token comes from</h2>
      <p>On the host of the daemon, this prints an address that signs in once, within a minute:</p>
      <pre>extreg console</pre>
      <p>A token of your own is made by an administrator:</p>
      <pre>extreg token create ada --role operator</pre>
    </div>
  );
}

function SignInForm({ onDone }: { readonly onDone: () => void }) {
  const given = useSignal('');
  const isKept = useSignal(false);
  const isBusy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const signIn = async () => {
    const text = given.value.trim();
    if (text === '') return;
    isBusy.value = true;
    problem.value = await (text.includes('code=') ? signInWith(text) : signInByToken(text, isKept.value));
    isBusy.value = false;
    if (problem.value === null) onDone();
  };
  const shown = problem.value ?? codeProblem.value;
  return (
    <>
      <label class="field">
        <span>Token, or the address that extreg console prints</span>
        <input
          type="password"
          autoComplete="off"
          value={given.value}
          onInput={({ currentTarget }) => {
            given.value = currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') void signIn();
          }}
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={isKept.value}
          onChange={({ currentTarget }) => {
            isKept.value = currentTarget.checked;
          }}
        />{' '}
        Keep it on this computer, not only in this tab
      </label>
      {shown === null ? null : (
        <p class="fault" role="alert">
          {shown}
        </p>
      )}
      <p>
        <button type="button" class="main-button" disabled={isBusy.value || given.value.trim() === ''} onClick={signIn}>
          Sign in
        </button>
      </p>
    </>
  );
}

/** Why it is not accepted; null: it is. */
async function signInByToken(text: string, isKept: boolean): Promise<string | null> {
  remember(text, isKept);
  await readWhoami();
  return left.value === null ? null : 'The daemon does not accept this token. It was forgotten.';
}
