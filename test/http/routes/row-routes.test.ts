// `GET /admin/extensions/:id?expand=…`: how what belongs to an extension is read beside its row.
import test from 'ava';
import type { RowDesk } from '../../../src/actors/ports/api.js';
import { listen } from '../helpers.js';

test('rows: a row and the lists of its expansion are read beside each other, since each may wait for the database', async (t) => {
  const asked: string[] = [];
  let answerAll: () => void = () => undefined;
  const allAsked = new Promise<void>((resolve) => {
    answerAll = resolve;
  });
  const ask = async (what: string): Promise<void> => {
    asked.push(what);
    if (asked.length === 3) answerAll();
    await allAsked;
  };
  const rows: RowDesk = {
    read: async () => {
      await ask('row');
      return { kind: 'row', row: { id: 'a' }, revision: 1, created: false };
    },
    list: async (_, kind) => {
      await ask(kind);
      return { kind: 'rows', rows: [{ version: 'v1', id: 'i1' }] };
    },
    edit: () => Promise.reject(new Error('nothing is changed')),
  };
  const { url } = await listen(t, { rows });
  const answer = await fetch(`${url}/admin/extensions/a?expand=instances,versions`);
  t.is(answer.status, 200);
  const body = (await answer.json()) as object;
  t.like(body, { id: 'a', versions: [{ version: 'v1' }], instances: [{ id: 'i1' }] });
  t.deepEqual(Object.keys(body).slice(-2), ['versions', 'instances']);
  t.deepEqual(asked.sort(), ['instance', 'row', 'version']);
});
