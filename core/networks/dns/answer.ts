import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Answer,
  type Packet,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import type { Zone } from './zone.ts';

const timeToLiveSeconds = 600;
/** RFC 1035 4.2.1; larger only when the question says so (EDNS, RFC 6891). */
const plainUdpBytes = 512;
const returnCodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, refused: 5 } as const;
export type ReturnCode = keyof typeof returnCodes;

/** A question that can be answered or passed on; undefined for what is none (answers, several questions at once, junk). */
export interface Asked {
  readonly packet: Packet;
  readonly question: Question;
}

export function readQuestion(message: Buffer): Asked | undefined {
  if (message.length < 12 || (message[2] ?? 0) >> 3 !== 0) return undefined;
  try {
    const packet = decode(message);
    const [question] = packet.questions ?? [];
    return question === undefined || packet.questions?.length !== 1 ? undefined : { packet, question };
  } catch {
    return undefined;
  }
}

/** The answer from the zone; undefined when the name is nobody's here. A known name without an address of the asked family is an empty answer, never passed on. */
export function answerFromZone({ packet, question }: Asked, zone: Zone): Buffer | undefined {
  const { name, type } = question;
  if (type === 'PTR') {
    const address = reverseAddress(name);
    const found = address === undefined ? undefined : zone.nameOf(address);
    return found === undefined ? undefined : respond(packet, question, [{ type: 'PTR', name, ttl: timeToLiveSeconds, data: found }]);
  }
  const addresses = zone.addressesOf(name.replace(/\.$/, ''));
  if (addresses === undefined) return undefined;
  const isWanted = (address: string) => (type === 'A' ? !address.includes(':') : type === 'AAAA' && address.includes(':'));
  const answers = shuffled(addresses.filter(isWanted)).map(
    (data): Answer => ({ type: type === 'AAAA' ? 'AAAA' : 'A', name, ttl: timeToLiveSeconds, data }),
  );
  return respond(packet, question, answers);
}

/** An address of a name without dots is asked for. */
export function isBareName({ question: { name, type } }: Asked): boolean {
  return (type === 'A' || type === 'AAAA') && !name.replace(/\.$/, '').includes('.');
}

export function refusal({ packet, question }: Asked, code: ReturnCode): Buffer {
  return respond(packet, question, [], code);
}

/** Cut to what UDP may carry to this client: the question and the sign that the rest is to be had over TCP. */
export function fitUdp(answer: Buffer, { packet, question }: Asked): Buffer {
  const wished = packet.additionals?.find((extra) => extra.type === 'OPT');
  const limit = Math.max(plainUdpBytes, wished?.type === 'OPT' ? wished.udpPayloadSize : 0);
  if (answer.length <= limit) return answer;
  return encode({
    type: 'response',
    ...idOf(packet),
    flags: (packet.flags ?? 0) | TRUNCATED_RESPONSE | RECURSION_AVAILABLE,
    questions: [question],
  });
}

export function returnCodeOf(message: Buffer): number {
  return (message[3] ?? 0) & 15;
}

export const retryCodes: ReadonlySet<number> = new Set([returnCodes.serverFailure, returnCodes.refused]);

function respond(packet: Packet, question: Question, answers: Answer[], code: ReturnCode = 'noError'): Buffer {
  const asked = (packet.flags ?? 0) & RECURSION_DESIRED;
  const flags = asked | RECURSION_AVAILABLE | (code === 'noError' ? AUTHORITATIVE_ANSWER : 0) | returnCodes[code];
  return encode({ type: 'response', ...idOf(packet), flags, questions: [question], answers });
}

function idOf({ id }: Packet): { readonly id?: number } {
  return id === undefined ? {} : { id };
}

/** 2.0.17.172.in-addr.arpa, or thirty-two nibbles below ip6.arpa. */
export function reverseAddress(name: string): string | undefined {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const [zone, top] = [labels.at(-2), labels.at(-1)];
  if (top !== 'arpa') return undefined;
  const parts = labels.slice(0, -2).toReversed();
  if (zone === 'in-addr' && parts.length === 4) return parts.join('.');
  if (zone === 'ip6' && parts.length === 32 && parts.every((part) => /^[0-9a-f]$/.test(part)))
    return parts.join('').match(/.{4}/g)?.join(':');
  return undefined;
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ value }) => value);
}
