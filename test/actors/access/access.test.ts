// Who may use the admin API, on a simulated clock: ACCESS-1 to ACCESS-5, SIGN-IN-1 and SIGN-IN-2, TOKEN-MEMORY-1 to -3, ONE-TIME-CODES-1, WRONG-TRIES-1 and -2.
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { Access } from '../../../src/actors/access/access.js';
import { OneTimeCodes } from '../../../src/actors/access/one-time-codes.js';
import { WrongTries } from '../../../src/actors/access/wrong-tries.js';
import type { Principal } from '../../../src/domain/access/principal.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { MemoryTokens } from '../../helpers/access.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';

const LOCAL = 'extreg_local';
const DAY_MS = 86_400_000;

async function world({ alwaysRequired = false, store = new MemoryTokens() } = {}) {
  const clock = new SimulatedClock();
  const access = new Access({
    store,
    file: { read: () => store.file, write: (tokens) => (store.file = tokens) },
    alwaysRequired,
    local: { text: LOCAL, user: 'ada' },
    clock,
    wall: () => 1_000_000 + clock.now(),
    randomBytes,
    log: silentLogger,
  });
  const turns = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(Math.min(left, 1000));
      await turns();
    }
  };
  access.start();
  await turns();
  const made = async (name = 'ada', role: Principal['role'] = 'admin', expiresInDays: number | null = null) => {
    const answer = await access.create({ name, role, expiresInDays }, 'admin');
    if (answer.kind !== 'created') throw new Error(answer.message);
    return answer;
  };
  const kindOf = (text?: string, address = '127.0.0.1') =>
    access.admit(text === undefined ? undefined : `Bearer ${text}`, address).kind;
  return { access, store, clock, advance, made, kindOf };
}

test('ACCESS-1: open until the first token exists, and closed by it; the last one that goes opens it again', async (t) => {
  const { access, made, kindOf, store } = await world();
  t.is(access.admit(undefined, 'a').kind, 'admitted');
  t.false(access.isRequired);
  const { text, token } = await made();
  t.regex(text, /^extreg_[A-Za-z0-9_-]{43}$/);
  t.false(JSON.stringify(store.tokens).includes(text));
  t.true(access.isRequired);
  t.is(kindOf(), 'unauthenticated');
  t.is(kindOf(text), 'admitted');
  t.is(kindOf(`${text}x`), 'unauthenticated');
  t.is((await access.revoke(token.id, 'admin', 'why')).kind, 'revoked');
  t.is(kindOf(text), 'admitted');
  t.false(access.isRequired);
});

test('ACCESS-1: what another daemon made or revoked is known within two seconds', async (t) => {
  const store = new MemoryTokens();
  const one = await world({ store });
  const other = await world({ store });
  const { text, token } = await one.made();
  t.is(other.kindOf(), 'admitted');
  await other.advance(2000);
  t.is(other.kindOf(), 'unauthenticated');
  t.is(other.kindOf(text), 'admitted');
  await one.access.revoke(token.id, 'admin', 'why');
  await one.made('other');
  await other.advance(2000);
  t.is(other.kindOf(text), 'unauthenticated');
});

test('ACCESS-1: beyond loopback a token is asked for even if there is none, and who listens hears of changes', async (t) => {
  const { access, kindOf, made } = await world({ alwaysRequired: true });
  t.is(kindOf(), 'unauthenticated');
  const { text } = await made();
  t.is(kindOf(text), 'admitted');
  const open = await world();
  const heard: boolean[] = [];
  open.access.onChanged(() => {
    throw new Error('a listener that fails');
  });
  open.access.onChanged(() => heard.push(open.access.isRequired));
  await open.made();
  t.deepEqual(heard, [true]);
  t.true(access.isRequired);
});

test('ACCESS-2: what is not known is not open: refused until the database answers, then as it says', async (t) => {
  const store = new MemoryTokens();
  store.isAway = true;
  const { access, advance, kindOf } = await world({ store });
  t.is(kindOf(), 'database_unavailable');
  t.is(kindOf(LOCAL), 'admitted');
  await advance(60_000);
  t.is(kindOf(), 'database_unavailable');
  store.isAway = false;
  await advance(1000);
  t.is(kindOf(), 'admitted');
  await access.known;
});

test('ACCESS-2, TOKEN-MEMORY-2: the tokens of the last time count after ten seconds without a database, and what was known last holds', async (t) => {
  const first = await world();
  const { text } = await first.made();
  const { store } = first;
  store.isAway = true;
  await first.advance(5000);
  t.is(first.kindOf(text), 'admitted');
  t.is(
    (await first.access.create({ name: 'x', role: 'viewer', expiresInDays: null }, 'a')).kind,
    'database_unavailable',
  );
  const second = await world({ store });
  await second.advance(9000);
  t.is(second.kindOf(text), 'database_unavailable');
  await second.advance(2000);
  t.is(second.kindOf(text), 'admitted');
  t.is(second.kindOf(), 'unauthenticated');
});

test('ACCESS-5: a database that does not answer is away after five seconds, for everything that is asked of tokens', async (t) => {
  const { access, store, advance, made } = await world();
  const { token } = await made();
  const principal = access.admit(`Bearer ${LOCAL}`, 'a');
  if (principal.kind !== 'admitted') throw new Error(principal.kind);
  const { code } = access.signIn.code(principal.principal, 'viewer');
  store.isHanging = true;
  const answers = Promise.all([
    access.list(),
    access.create({ name: 'bob', role: 'viewer', expiresInDays: null }, 'admin'),
    access.revoke(token.id, 'admin', 'why'),
    access.signIn.login(code, 'a'),
    access.signIn.logout({ ...principal.principal, kind: 'sign_in', tokenId: token.id }),
  ]);
  await advance(5000);
  const known = (await answers).map((answer) => ('message' in answer ? `${answer.kind}: ${answer.message}` : answer));
  const late = 'database_unavailable: access tokens are in the database: no answer within 5 s';
  t.deepEqual(known, [late, ...Array.from({ length: 4 }, () => `${late}; it may have been written`)]);
});

test('TOKEN-MEMORY-2: a database without the table has no tokens, unless some were known: it is being restored', async (t) => {
  const store = new MemoryTokens();
  store.tokens = null;
  const { kindOf, made, advance } = await world({ store });
  t.is(kindOf(), 'admitted');
  const { text } = await made();
  store.tokens = null;
  await advance(3000);
  t.is(kindOf(), 'unauthenticated');
  t.is(kindOf(text), 'admitted');
});

test('ACCESS-3: the token of the process is an administrator of its user', async (t) => {
  const { access } = await world({ alwaysRequired: true });
  const admission = access.admit(`bearer ${LOCAL}`, 'a');
  t.like(admission, { kind: 'admitted', principal: { kind: 'local', actor: 'local:ada', role: 'admin' } });
  for (const wrong of [LOCAL, `Basic ${LOCAL}`, `Bearer ${LOCAL} x`, `Bearer ${LOCAL}x`, 'Bearer', ''])
    t.is(access.admit(wrong, 'a').kind, 'unauthenticated', wrong);
});

test('ACCESS-4: a token ends at its time, to the millisecond, and closes what it had opened', async (t) => {
  const { access, made, kindOf, advance, clock } = await world();
  await made('stays');
  const { text } = await made('short', 'viewer', 1);
  const admission = access.admit(`Bearer ${text}`, 'a');
  t.true(admission.kind === 'admitted' && access.isValid(admission.principal));
  clock.advance(DAY_MS - 1);
  t.is(kindOf(text), 'admitted');
  clock.advance(1);
  t.is(kindOf(text), 'unauthenticated');
  t.false(admission.kind === 'admitted' && access.isValid(admission.principal));
  await advance(1000);
});

test('access: two tokens of one name are refused, and a use is written once a minute', async (t) => {
  const { access, made, kindOf, advance, store } = await world();
  const { text, token } = await made();
  t.is((await access.create({ name: 'ada', role: 'viewer', expiresInDays: null }, 'x')).kind, 'already_exists');
  for (let i = 0; i < 130; i++) {
    kindOf(text);
    await advance(1000);
  }
  t.true(store.uses.length >= 2 && store.uses.length <= 3, String(store.uses.length));
  t.deepEqual([...(store.uses[0]?.keys() ?? [])], [token.id]);
});

test('ONE-TIME-CODES-1: a login code is of one use, for a minute, and not above the role that it was made with', async (t) => {
  const { access, made, clock } = await world();
  const { text } = await made('ada', 'operator');
  const admission = access.admit(`Bearer ${text}`, 'a');
  if (admission.kind !== 'admitted') return t.fail();
  const { code } = access.signIn.code(admission.principal, 'viewer');
  const answer = await access.signIn.login(code, 'a');
  if (answer.kind !== 'signed_in') return t.fail(answer.message);
  t.like(access.admit(`Bearer ${answer.text}`, 'a'), {
    kind: 'admitted',
    principal: { kind: 'sign_in', name: 'ada', role: 'viewer', actor: 'token:ada' },
  });
  t.is((await access.signIn.login(code, 'a')).kind, 'unauthenticated');
  const late = access.signIn.code(admission.principal, 'viewer').code;
  clock.advance(60_000);
  t.is((await access.signIn.login(late, 'a')).kind, 'unauthenticated');
  t.is((await access.signIn.logout(answer.principal)).kind, 'signed_out');
  t.is(access.admit(`Bearer ${answer.text}`, 'a').kind, 'unauthenticated');
  t.is((await access.signIn.logout(admission.principal)).kind, 'signed_out');
  t.is(access.admit(`Bearer ${text}`, 'a').kind, 'admitted');
});

test('SIGN-IN-2: a code of a token that was revoked signs nobody in, and a sign-in alone closes nothing', async (t) => {
  const { access, made, kindOf } = await world();
  const open = access.admit(undefined, 'a');
  if (open.kind !== 'admitted') return t.fail();
  t.is((await access.signIn.login(access.signIn.code(open.principal, 'admin').code, 'a')).kind, 'signed_in');
  t.is(kindOf(), 'admitted');
  const { text, token } = await made();
  await made('other');
  const admission = access.admit(`Bearer ${text}`, 'a');
  if (admission.kind !== 'admitted') return t.fail();
  const { code } = access.signIn.code(admission.principal, 'admin');
  await access.revoke(token.id, 'admin', 'why');
  t.is((await access.signIn.login(code, 'a')).kind, 'unauthenticated');
});

test('SIGN-IN-2: a sign-in ends with the token that asked for it, also by expiry, and does not renew itself', async (t) => {
  const { access, made, clock, kindOf } = await world();
  await made('stays');
  const { text } = await made('short', 'viewer', 1 / 24);
  const signIn = async (token: string) => {
    const admission = access.admit(`Bearer ${token}`, 'a');
    if (admission.kind !== 'admitted') throw new Error(admission.message);
    const answer = await access.signIn.login(access.signIn.code(admission.principal, 'viewer').code, 'a');
    if (answer.kind !== 'signed_in') throw new Error(answer.message);
    return answer.text;
  };
  const first = await signIn(text);
  const second = await signIn(first);
  clock.advance(3_600_000 - 1);
  t.deepEqual([kindOf(first), kindOf(second)], ['admitted', 'admitted']);
  clock.advance(1);
  t.deepEqual([kindOf(first), kindOf(second)], ['unauthenticated', 'unauthenticated']);
});

test('TOKEN-MEMORY-4: what was signed in on an open API ends with the first token', async (t) => {
  const { access, made, kindOf } = await world();
  const open = access.admit(undefined, 'a');
  if (open.kind !== 'admitted') return t.fail();
  const answer = await access.signIn.login(access.signIn.code(open.principal, 'admin').code, 'a');
  if (answer.kind !== 'signed_in') return t.fail();
  t.like(access.admit(`Bearer ${answer.text}`, 'a'), { kind: 'admitted' });
  await made();
  t.is(kindOf(answer.text), 'unauthenticated');
  t.false(access.isValid(answer.principal));
});

test('access: what was written is not reported as lost because it could not be read back', async (t) => {
  const { access, made, store, kindOf, advance } = await world();
  await made('stays');
  const { read } = store;
  store.read = async () => {
    throw new Error('away');
  };
  const answer = await access.create({ name: 'new', role: 'viewer', expiresInDays: null }, 'x');
  if (answer.kind !== 'created') return t.fail(answer.kind);
  t.is((await access.revoke(answer.token.id, 'x', 'why')).kind, 'revoked');
  store.read = read;
  await advance(2000);
  t.is(kindOf(answer.text), 'unauthenticated');
});

test('TOKEN-MEMORY-2: a start beside a database that is being restored goes by the tokens of the last time', async (t) => {
  const first = await world();
  const { text } = await first.made();
  const { store } = first;
  store.tokens = null;
  const second = await world({ store });
  t.is(second.kindOf(), 'unauthenticated');
  t.is(second.kindOf(text), 'admitted');
  t.true((store.file ?? []).length > 0);
});

test('access: uses that could not be written are written later', async (t) => {
  const { made, kindOf, advance, store } = await world();
  const { text, token } = await made();
  const { noteUses } = store;
  store.noteUses = async () => {
    throw new Error('away');
  };
  kindOf(text);
  await advance(3000);
  store.noteUses = noteUses;
  await advance(2000);
  t.deepEqual([...(store.uses[0]?.keys() ?? [])], [token.id]);
});

test('SIGN-IN-1: a code is not used up by a database that was away', async (t) => {
  const { access, store } = await world();
  const open = access.admit(undefined, 'a');
  if (open.kind !== 'admitted') return t.fail();
  const { code } = access.signIn.code(open.principal, 'admin');
  store.isAway = true;
  t.is((await access.signIn.login(code, 'a')).kind, 'database_unavailable');
  store.isAway = false;
  t.is((await access.signIn.login(code, 'a')).kind, 'signed_in');
});

test('access: a ticket is of one use, for half a minute', async (t) => {
  const { access, clock } = await world();
  const open = access.admit(undefined, 'a');
  if (open.kind !== 'admitted') return t.fail();
  const { ticket } = access.signIn.ticket(open.principal);
  t.is(access.signIn.takeTicket(ticket, 'a'), open.principal);
  t.is(access.signIn.takeTicket(ticket, 'a'), null);
  const late = access.signIn.ticket(open.principal).ticket;
  clock.advance(30_000);
  t.is(access.signIn.takeTicket(late, 'a'), null);
  t.is(access.signIn.takeTicket('', 'a'), null);
});

test('WRONG-TRIES-1: after ten wrong ones within a minute an address is answered late; a right one passes, and others are not held', async (t) => {
  const { access, made, kindOf, clock } = await world();
  const { text } = await made();
  for (let i = 0; i < 10; i++) t.is(kindOf('wrong'), 'unauthenticated');
  t.like(access.admit('Bearer wrong', '127.0.0.1'), { kind: 'too_many_requests', delayMs: 250 });
  t.is(kindOf(text), 'admitted');
  t.is(kindOf(undefined), 'unauthenticated');
  t.is(kindOf('wrong', '10.0.0.1'), 'unauthenticated');
  clock.advance(60_000);
  t.is(kindOf('wrong'), 'unauthenticated');
  // A network of IPv6 is one subscriber.
  for (let i = 0; i < 10; i++) kindOf('wrong', `2001:db8::${i}`);
  t.is(kindOf('wrong', '2001:db8:0:0:ffff::1'), 'too_many_requests');
  t.is(kindOf('wrong', '2001:db8:0:1::1'), 'unauthenticated');
});

test('WRONG-TRIES-2, ONE-TIME-CODES-1: memory stays bounded, whatever comes', (t) => {
  const tries = new WrongTries(() => 0);
  for (let i = 0; i < 30_000; i++) tries.isTooMany(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  for (let i = 0; i < 10; i++) t.false(tries.isTooMany('10.0.0.1'));
  const codes = new OneTimeCodes<number>(60_000, () => 0, randomBytes);
  const first = codes.issue(0).code;
  for (let i = 1; i <= 1000; i++) codes.issue(i);
  t.is(codes.take(first), null);
});
