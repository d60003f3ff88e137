// Who may do what, as the edges ask it.
import type { Principal } from '../../domain/access/principal.js';

type Admission =
  | { readonly kind: 'admitted'; readonly principal: Principal }
  | {
      readonly kind: 'unauthenticated' | 'too_many_requests' | 'database_unavailable';
      readonly message: string;
      /** The answer waits so long, ms. */
      readonly delayMs: number;
    };

/** `authorization`: the header as it came. `address`: of the peer. */
export type Admit = (authorization: string | undefined, address: string) => Admission;
