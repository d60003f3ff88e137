// The frame around every page.
import { useEffect } from 'preact/hooks';
import { Lazy } from '../parts/lazy.js';
import { address } from '../url/address.js';
import { routeOf } from './routes.js';

export function Shell() {
  const { path } = address.value;
  const found = routeOf(path);
  useEffect(() => {
    document.title = `${found?.route.title(found.params) ?? 'No such page'} – Extension Registry`;
  }, [path]);
  return (
    <>
      <header class="bar">
        <a href="/">Extension Registry</a>
      </header>
      <main id="main" tabIndex={-1}>
        {found === null ? (
          <p>
            There is no page at {path}. <a href="/">Overview</a>
          </p>
        ) : (
          <Lazy load={found.route.load} props={{ params: found.params }} />
        )}
      </main>
    </>
  );
}
