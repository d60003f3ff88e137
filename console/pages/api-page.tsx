// `/ui/api`: the OpenAPI document, readable. Which operation is open is in the address.
import { useReading } from '../live/reading.js';
import { Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { queryValue, setQuery } from '../url/address.js';
import { some } from '../words/numbers.js';

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

type Contents = Readonly<Record<string, { readonly schema?: object; readonly example?: unknown }>>;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Contents };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Contents }>>;
  readonly 'x-extreg-role': string;
}

interface Document {
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const operationsIn = ({ paths }: Document): Entry[] =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

export default function ApiPage() {
  const { value, problem, again } = useReading<Document>('/openapi.json');
  const q = queryValue('q');
  if (value === null)
    return (
      <div class="page">
        <h1>The admin API</h1>
        {<Unread what="The document" problem={problem} again={again} lines={12} />}
      </div>
    );
  const all = operationsIn(value);
  const text = q.toLowerCase();
  const shown = all.filter(({ method, path, operation }) =>
    `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase().includes(text),
  );
  return (
    <div class="page api">
      <h1>
        {value.info.title}, {value.info.version}
      </h1>
      <search class="tools">
        <input
          type="search"
          aria-label="Search in the API"
          placeholder="search"
          value={q}
          onInput={({ currentTarget }) => setQuery({ q: currentTarget.value })}
        />
        <span class="tools-end">
          {some(shown.length, 'operation')} · <a href="/openapi.json">the document itself</a>
        </span>
      </search>
      <ul class="operations">
        {shown.map((entry) => (
          <OperationItem key={entry.operation.operationId} entry={entry} />
        ))}
      </ul>
    </div>
  );
}

function OperationItem({ entry: { method, path, operation } }: { readonly entry: Entry }) {
  const { operationId: id, summary, 'x-extreg-role': role } = operation;
  const isOpen = queryValue('operation') === id;
  return (
    <li>
      <button
        type="button"
        class="operation"
        aria-expanded={isOpen}
        onClick={() => setQuery({ operation: isOpen ? null : id })}
      >
        <code class="method">{method}</code> <code class="path">{path}</code>
        <span class="operation-summary">{summary}</span>
        <span class="dim">{role === 'none' ? 'no token' : role}</span>
      </button>
      {isOpen ? <Details operation={operation} /> : null}
    </li>
  );
}

function Details({ operation: { parameters = [], requestBody, responses } }: { readonly operation: Operation }) {
  return (
    <div class="operation-details">
      {parameters.length === 0 ? null : (
        <Table label="Parameters" columns={['Parameter', 'In', 'Type', 'What it says']}>
          {parameters.map(({ name, in: where, required, description, schema }) => (
            <tr key={`${where} ${name}`}>
              <th scope="row">
                <code>{name}</code>
                {required === true ? ' (needed)' : ''}
              </th>
              <td>{where}</td>
              <td>{typeText(schema)}</td>
              <td class="wraps">{description ?? schema?.description ?? ''}</td>
            </tr>
          ))}
        </Table>
      )}
      {requestBody === undefined ? null : <Content title="Body" content={requestBody.content} />}
      {Object.entries(responses).map(([status, { description, content }]) => (
        <Response key={status} status={status} description={description} content={content} />
      ))}
    </div>
  );
}

interface ResponseProps {
  readonly status: string;
  readonly description: string;
  readonly content: Contents | undefined;
}

/** Errors are all alike: their words are enough. */
function Response({ status, description, content }: ResponseProps) {
  return (
    <div>
      <p class="response">
        <strong>{status}</strong> {description.replaceAll('`', '')}
      </p>
      {content === undefined || Number(status) >= 400 ? null : <Content title="" content={content} />}
    </div>
  );
}

function Content({ title, content }: { readonly title: string; readonly content: Contents }) {
  return (
    <>
      {Object.entries(content).map(([type, { schema, example }]) => (
        <div key={type} class="content">
          <p class="dim">
            {title} {type}
          </p>
          {example === undefined ? null : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
            <pre tabIndex={0}>{JSON.stringify(example, null, 2)}</pre>
          )}
          <details>
            <summary>Schema</summary>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
            <pre tabIndex={0}>{JSON.stringify(schema, null, 2)}</pre>
          </details>
        </div>
      ))}
    </>
  );
}

function typeText(schema: Schema | undefined): string {
  if (schema?.enum !== undefined) return schema.enum.join(', ');
  return [schema?.type ?? ''].flat().join(' or ');
}
