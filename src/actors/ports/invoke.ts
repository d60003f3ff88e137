// A call that an operator makes through the admin API: it takes the way of any call. Types alone.

export interface InvokeOrder {
  readonly extensionId: string;
  readonly body: Uint8Array;
  readonly context: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** null: 20 s, or what the daemon allows. */
  readonly timeoutMs: number | null;
}

export type InvokeAnswer =
  | {
      readonly kind: 'answered';
      /** What a caller gets in `{"error": …}`; null: the extension answered. */
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly extension_id: string;
        readonly retryable: boolean;
        readonly retry_after_ms?: number;
        readonly details?: Readonly<Record<string, unknown>>;
      } | null;
      /** These three are null where the extension did not answer. */
      readonly version: string | null;
      readonly instanceId: string | null;
      readonly attempts: number | null;
      readonly durationMs: number;
      /** Of the extension; values of the same name are joined by a comma. */
      readonly headers: Readonly<Record<string, string>>;
      /** Empty where the extension did not answer. */
      readonly body: Uint8Array;
    }
  /** Nothing was called. */
  | { readonly kind: 'invalid_request' | 'shutting_down'; readonly message: string };

export type InvokeExtension = (order: InvokeOrder) => Promise<InvokeAnswer>;
