// `/ui/tokens`: who may use the admin API. A new token is shown once; a revoked one ends within two seconds everywhere.
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ROLES, type Role } from '../../src/domain/access/principal.js';
import { type Action, pending } from '../actions/action.js';
import { type Problem, problemOf, request } from '../live/api.js';
import { readWhoami } from '../live/connection.js';
import { useReading } from '../live/reading.js';
import { may, remember, whoami } from '../live/session.js';
import { Moment } from '../live/times.js';
import { Empty, Fault, Loading, Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { NONE } from '../words/numbers.js';

interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly created_by: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
}

export default function TokensPage() {
  const isAdmin = may('admin');
  useEffect(
    () => () => {
      secret.value = null;
    },
    [],
  );
  const { value, problem, again } = useReading<{ readonly items: readonly Token[] }>(isAdmin ? '/admin/tokens' : null, {
    every: 10_000,
  });
  return (
    <div class="page">
      <h1>Access tokens</h1>
      {secret.value === null ? null : <Secret text={secret.value} />}
      {whoami.value === null ? (
        <Loading />
      ) : !isAdmin ? (
        <p>Tokens are for administrators. Your role is {whoami.value.role}.</p>
      ) : value === null ? (
        <Unread what="The tokens" problem={problem} again={again} />
      ) : (
        <>
          <NewToken onMade={again} />
          <TokenTable tokens={value.items} onRevoked={again} />
        </>
      )}
    </div>
  );
}

/** The token that was made last. Outside of the form: with the first token of a registry, what this page may do changes. */
const secret = signal<string | null>(null);

function NewToken({ onMade }: { readonly onMade: () => void }) {
  const problem = useSignal<Problem | null>(null);
  const make = async (body: NewTokenBody) => {
    problem.value = null;
    try {
      const isFirst = whoami.value?.auth === 'open';
      secret.value = (await request<{ readonly token: string }>('/admin/tokens', { method: 'POST', body })).body.token;
      // From now on every request needs one: this tab goes on with what it has just made.
      if (isFirst) {
        remember(secret.value, false);
        await readWhoami();
      }
      onMade();
    } catch (error) {
      problem.value = problemOf(error);
    }
  };
  return (
    <section aria-labelledby="new-token">
      <h2 id="new-token">New token</h2>
      {whoami.value?.auth === 'open' ? (
        <p class="dim">
          No token exists yet. As soon as one does, every request needs one; this tab goes on with the one that you make
          here.
        </p>
      ) : null}
      <NewTokenForm onMake={make} />
      {problem.value === null ? null : (
        <Fault what="Not made" detail={problem.value.detail} code={problem.value.code} />
      )}
    </section>
  );
}

interface NewTokenBody {
  readonly name: string;
  readonly role: Role;
  readonly expires_in_days?: number;
}

function NewTokenForm({ onMake }: { readonly onMake: (body: NewTokenBody) => void }) {
  const name = useSignal('');
  const role = useSignal<Role>('viewer');
  const days = useSignal('');
  const make = () => {
    const expires = days.value.trim() === '' ? {} : { expires_in_days: Number(days.value) };
    onMake({ name: name.value.trim(), role: role.value, ...expires });
  };
  return (
    <div class="tools">
      <input
        aria-label="Name"
        placeholder="name"
        value={name.value}
        onInput={({ currentTarget }) => {
          name.value = currentTarget.value;
        }}
      />
      <select
        aria-label="Role"
        value={role.value}
        onChange={({ currentTarget }) => {
          role.value = currentTarget.value as Role;
        }}
      >
        {ROLES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <input
        type="number"
        min="0"
        aria-label="Days until it ends; empty: never"
        placeholder="days, or never"
        value={days.value}
        onInput={({ currentTarget }) => {
          days.value = currentTarget.value;
        }}
      />
      <button type="button" class="main-button" disabled={name.value.trim() === ''} onClick={make}>
        Make it
      </button>
    </div>
  );
}

function Secret({ text }: { readonly text: string }) {
  return (
    <div role="status">
      <p>
        <strong>This is the only time that it is shown.</strong> Copy it now.
      </p>
      <pre class="secret">{text}</pre>
      <p>
        <button type="button" onClick={() => navigator.clipboard?.writeText(text)}>
          Copy
        </button>
      </p>
    </div>
  );
}

function TokenTable({ tokens, onRevoked }: { readonly tokens: readonly Token[]; readonly onRevoked: () => void }) {
  if (tokens.length === 0)
    return (
      <Empty>
        <p>There is no token: on loopback, everything is open to every account of this host.</p>
      </Empty>
    );
  return (
    <Table label="Access tokens" columns={['Name', 'Role', 'Made', 'By', 'Ends', 'Used last', ['Actions', 'hidden']]}>
      {tokens.map((token) => (
        <tr key={token.id}>
          <th scope="row" class="long">
            {token.name}
          </th>
          <td>{token.role}</td>
          <td>
            <Moment at={token.created_at} />
          </td>
          <td class="long">{token.created_by}</td>
          <td>{token.expires_at === null ? 'never' : <Moment at={token.expires_at} />}</td>
          <td>{token.last_used_at === null ? NONE : <Moment at={token.last_used_at} />}</td>
          <td>
            <button
              type="button"
              onClick={() => {
                pending.value = revocation(token, onRevoked);
              }}
            >
              Revoke
            </button>
          </td>
        </tr>
      ))}
    </Table>
  );
}

const revocation = ({ id, name }: Token, onRevoked: () => void): Action => ({
  id: '_',
  words: () => ({
    question: `Revoke the token ${name}?`,
    text: `Its requests are refused within two seconds, and its streams and sign-ins end.${name === whoami.value?.name ? ' This is your own: you will be signed out.' : ''}`,
    verb: 'Revoke',
  }),
  reason: 'required',
  typed: name,
  run: async ({ reason, by }) => {
    const query = new URLSearchParams({ reason: reason ?? '', ...(by === undefined ? {} : { by }) });
    await request(`/admin/tokens/${encodeURIComponent(id)}?${query}`, { method: 'DELETE' });
    onRevoked();
    await readWhoami();
    return { text: `The token ${name} is revoked.` };
  },
});
