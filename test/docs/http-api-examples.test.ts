// docs/http-api.md: its commands print what it shows.
import test from 'ava';
import { walkPage } from './walk.js';

test('docs/http-api.md: its commands print what it shows', (t) => walkPage(t, 'docs/http-api.md', 4));
