-- Who may use the admin API.
--
-- M28. A token is kept as the SHA-256 of its text: the text is random, so nothing is gained by a slow hash, and a reader of the table cannot
--      use it. `token`: made by an administrator. `sign_in`: of a page that was signed in with a code; it goes with the token that asked for
--      the code. What becomes of tokens is in the audit trail, as facts without an extension (extension_id '_').

create table if not exists extension_tokens (
  id uuid primary key default gen_random_uuid(),
  name varchar(64) not null,
  role varchar(16) not null constraint extension_tokens_role_check check (role in ('viewer', 'operator', 'admin')),
  kind varchar(16) not null default 'token' constraint extension_tokens_kind_check check (kind in ('token', 'sign_in')),
  hash varchar(64) not null constraint extension_tokens_hash_check check (hash ~ '^[0-9a-f]{64}$'),
  parent uuid references extension_tokens (id) on delete cascade,
  created_at timestamptz not null default current_timestamp,
  created_by varchar(255) not null,
  expires_at timestamptz,
  last_used_at timestamptz
);
--> statement-breakpoint
create unique index if not exists extension_tokens_hash on extension_tokens (hash);
--> statement-breakpoint
create unique index if not exists extension_tokens_name on extension_tokens (name) where kind = 'token';
--> statement-breakpoint
create index if not exists extension_tokens_parent on extension_tokens (parent) where parent is not null;
