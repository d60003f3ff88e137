// The frame around every page: bar, banners, the page, and the results of actions.
import { useEffect } from 'preact/hooks';
import { pending } from '../actions/action.js';
import { ActionDialog } from '../actions/action-dialog.js';
import { Outcomes } from '../actions/outcomes.js';
import { left } from '../live/session.js';
import { Lazy } from '../parts/lazy.js';
import { address, go, here } from '../url/address.js';
import { Banners, useIsCut } from './banner.js';
import { Header } from './header.js';
import { isHelpOpen, KeyHelp, useKeys } from './keys.js';
import { sentence } from './live-region.js';
import { routeOf } from './routes.js';

const SIGN_IN = '/ui/sign-in';

export function Shell() {
  const { path } = address.value;
  const isCut = useIsCut();
  useKeys();
  useTitle(path);
  useDialogsOf(path);
  // Where to come back to is in the address of the sign-in.
  useEffect(() => {
    if (left.value !== null && path !== SIGN_IN) go(`${SIGN_IN}?to=${encodeURIComponent(here())}`, { replaces: true });
  }, [left.value, path]);
  return (
    <div class="shell" data-cut={isCut}>
      <a class="skip" href="#main">
        To the page
      </a>
      <Header />
      <Banners isCut={isCut} />
      <main id="main" tabIndex={-1}>
        {left.value === null || path === SIGN_IN ? <Page path={path} /> : null}
      </main>
      <p class="visually-hidden" role="status">
        {sentence.value}
      </p>
      <Outcomes />
      <ActionDialog isCut={isCut} />
      <KeyHelp />
    </div>
  );
}

function Page({ path }: { readonly path: string }) {
  const found = routeOf(path);
  if (found !== null) return <Lazy load={found.route.load} props={{ params: found.params }} />;
  return (
    <div class="page">
      <h1>No such page</h1>
      <p>
        There is nothing at {path}. <a href="/">To the overview</a>
      </p>
    </div>
  );
}

/** A dialog ends with its page: over another one, such as that of the sign-in, it would keep everything else from being used. */
function useDialogsOf(path: string): void {
  useEffect(
    () => () => {
      pending.value = null;
      isHelpOpen.value = false;
    },
    [path],
  );
}

/** A page that was opened by a link begins at its top, and a screen reader with it. */
function useTitle(path: string): void {
  useEffect(() => {
    const found = routeOf(path);
    document.title = `${found?.route.title(found.params) ?? 'No such page'} – Extension Registry`;
    if (document.activeElement instanceof HTMLElement && document.activeElement !== document.body)
      document.getElementById('main')?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [path]);
}
