// The audit trail of one extension.
import { AuditList } from './audit-list.js';

export default function AuditTab({ id }: { readonly id: string }) {
  return <AuditList query={{ extension_id: id }} isOfAll={false} />;
}
