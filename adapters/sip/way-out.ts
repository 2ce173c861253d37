// Everything that an event passes on its way out, put together.
import type { GatewayDomain, Hub } from '../../src/contract/index.ts';
import type { AskedStore } from './asked.ts';
import type { SipOptions } from './config.ts';
import type { Directions } from './directions.ts';
import { Dispatch } from './dispatch.ts';
import { Disposition } from './disposition.ts';
import type { Holds } from './holds.ts';
import { Outbox } from './outbox.ts';
import { PeerQuestions } from './peer-questions.ts';
import type { Peers } from './peers.ts';
import type { Recent } from './recent.ts';
import type { Session } from './session.ts';
import { TypingOut } from './typing-out.ts';
import { TypingWatch } from './typing-watch.ts';
import type { Unsettled } from './unsettled.ts';

export interface WayOutParts {
  hub: Hub;
  session: Pick<Session, 'requester' | 'wheel'>;
  domains: readonly GatewayDomain[];
  directions: Directions;
  holds: Holds;
  asked: AskedStore;
  peers: Peers;
  refused: Recent;
  unsettled: Unsettled;
  stopping: AbortSignal;
}

export function wayOut(settings: SipOptions, { session, ...parts }: WayOutParts): Outbox {
  const { hub, domains, directions, peers } = parts;
  const { requester, wheel } = session;
  const { ask, rememberMs } = settings.peers;
  const questions = ask ? new PeerQuestions({ peers, requester, log: hub.log, rememberMs }) : undefined;
  const dispatch = new Dispatch({ hub, requester, directions, domains, questions });
  const disposition = new Disposition(settings, {
    ...parts,
    dispatch,
    peerOf: (address) => directions.peerOf(address),
  });
  const typing = new TypingOut(settings, { ...parts, dispatch, watch: new TypingWatch(wheel) });
  return new Outbox(settings, { ...parts, dispatch, disposition, typing });
}
