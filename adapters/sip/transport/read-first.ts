// The alarm of the stack's timers. A timer says that nothing came in time, so whatever has come and lies unread in our sockets
// is read first: a stall of our own must not send everything again.
import type { Alarm } from '../timer-wheel.ts';

/** libuv reads so many datagrams of a socket in one turn of the event loop; what is more waits for the next. */
const datagramsATurn = 32;
/** More turns than a full receive buffer needs: a flood holds the timers up so long, and no longer. */
const mostTurns = 128;

/** `received` counts the datagrams of every socket, ever. */
export function readFirst(received: () => number, alarm: Alarm): Alarm {
  return (delayMs, wake) => {
    let isCancelled = false;
    const look = (before: number, turn: number) => {
      setImmediate(() => {
        if (isCancelled) return;
        const now = received();
        if (now - before >= datagramsATurn && turn < mostTurns) look(now, turn + 1);
        else wake();
      });
    };
    const cancel = alarm(delayMs, () => look(received(), 1));
    return () => {
      isCancelled = true;
      cancel();
    };
  };
}
