// `/ui/audit`: the audit trail of everything. Its filters are those of the API, and stand in the address.
import { address, setQuery } from '../url/address.js';
import { AuditList } from './audit-list.js';

const FILTERS = [
  ['extension_id', 'Extension'],
  ['action', 'Action'],
  ['by', 'Who'],
  ['since', 'Since (ISO 8601)'],
  ['until', 'Until (ISO 8601)'],
] as const;

export default function AuditPage() {
  const { query } = address.value;
  const values = Object.fromEntries(FILTERS.map(([name]) => [name, query.get(name) ?? '']));
  return (
    <div class="page">
      <h1>Audit trail</h1>
      <search class="tools">
        {FILTERS.map(([name, label]) => (
          <input
            key={name}
            type="search"
            aria-label={label}
            placeholder={label.toLowerCase()}
            value={values[name] ?? ''}
            onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value.trim() })}
          />
        ))}
      </search>
      <AuditList query={values} isOfAll />
    </div>
  );
}
