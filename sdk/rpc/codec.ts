/**
 * Messages as objects, to bytes and back, driven by the schema alone: dates, enums as texts, unions and JSON fields in one pass.
 * What comes in is hostile: a missing field, an unknown enum value or broken JSON fails with `invalid_argument` that names the place;
 * unknown fields are passed over, so that a newer peer may say more.
 */
import { Buffer } from 'node:buffer';
import protobuf from 'protobufjs/minimal.js';
import { GantryError, invalidArgument, messageOf } from '../errors.ts';
import { type FieldSchema, type MessageSchema, schema } from './schema.ts';

type Fields = Record<string, unknown>;
const { Reader, Writer } = protobuf;
type ReaderLike = protobuf.Reader;
type WriterLike = protobuf.Writer;

export function encode(type: string, value: unknown): Buffer {
  return Buffer.from(write(type, value ?? {}, Writer.create(), shortName(type)).finish());
}

export function decode(type: string, bytes: Uint8Array): unknown {
  // Of a message that is not in the schema: our mistake, not the bytes'.
  if (!isWellKnown(type)) messageSchema(type);
  try {
    return read(type, Reader.create(bytes), bytes.length, shortName(type));
  } catch (error) {
    throw GantryError.is(error) ? error : invalidArgument(`${shortName(type)} is no such message: ${messageOf(error)}`, { cause: error });
  }
}

const timestamp = 'google.protobuf.Timestamp';
const empty = 'google.protobuf.Empty';
const isWellKnown = (type: string): boolean => type === timestamp || type === empty;
const shortName = (type: string): string => type.slice(type.lastIndexOf('.') + 1);

function messageSchema(type: string): MessageSchema {
  const found = schema.messages[type];
  if (found === undefined) throw new Error(`no message ${type}`);
  return found;
}

// Writing

function write(type: string, value: unknown, writer: WriterLike, path: string): WriterLike {
  if (type === timestamp) return writeDate(value, writer, path);
  if (type === empty) return writer;
  if (typeof value !== 'object' || value === null) throw wrong(path, 'an object', value);
  const { fields, union } = messageSchema(type);
  const object = value as Fields;
  const chosen = union?.isFlat === true ? object[union.name] : undefined;
  for (const field of fields) {
    if (field.rule === 'member' && union?.isFlat === true) {
      if (field.name === chosen) writeMessage(field, object, writer, path);
      continue;
    }
    const given = object[field.name];
    if (given === undefined || given === null) {
      if (isNeeded(field)) throw invalidArgument(`${path}.${field.name} is missing`);
      continue;
    }
    writeField(field, given, writer, `${path}.${field.name}`);
  }
  return writer;
}

/** A scalar that is not said is its default, as everywhere in proto3. */
function isNeeded(field: FieldSchema): boolean {
  return field.rule === undefined && field.json !== true && !(field.type in wireTypes);
}

function writeField(field: FieldSchema, given: unknown, writer: WriterLike, path: string): void {
  if (field.rule === 'repeated') {
    if (!Array.isArray(given)) throw wrong(path, 'a list', given);
    for (const [index, item] of given.entries()) writeOne(field, item, writer, `${path}[${index}]`);
  } else if (field.rule === 'map') {
    if (typeof given !== 'object' || given === null) throw wrong(path, 'an object', given);
    for (const [key, item] of Object.entries(given)) {
      const entry = writer.uint32(tag(field.id, 2)).fork();
      entry.uint32(tag(1, 2)).string(key);
      writeOne({ ...field, id: 2 }, item, entry, `${path}.${key}`);
      entry.ldelim();
    }
  } else if (field.rule !== undefined || field.json === true || !isDefault(given)) writeOne(field, given, writer, path);
  else check(field, given, path);
}

const isDefault = (value: unknown): boolean => value === '' || value === 0 || value === false;

function writeOne(field: FieldSchema, value: unknown, writer: WriterLike, path: string): void {
  if (field.json === true) writer.uint32(tag(field.id, 2)).bytes(Buffer.from(JSON.stringify(value) ?? 'null'));
  else if (field.type === 'enum') writer.uint32(tag(field.id, 0)).int32(numberOf(field, value, path));
  else if (field.type in wireTypes) {
    check(field, value, path);
    const scalar = field.type as Scalar;
    (writer.uint32(tag(field.id, wireTypes[scalar]))[scalar] as (value: unknown) => void)(value);
  } else writeMessage(field, value, writer, path);
}

function writeMessage(field: FieldSchema, value: unknown, writer: WriterLike, path: string): void {
  write(field.type, value, writer.uint32(tag(field.id, 2)).fork(), path).ldelim();
}

function writeDate(value: unknown, writer: WriterLike, path: string): WriterLike {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw wrong(path, 'a date', value);
  const ms = value.getTime();
  const seconds = Math.floor(ms / 1000);
  writer.uint32(tag(1, 0)).int64(seconds);
  return writer.uint32(tag(2, 0)).int32((ms - seconds * 1000) * 1e6);
}

function numberOf({ texts = [] }: FieldSchema, value: unknown, path: string): number {
  const number = typeof value === 'string' ? texts.indexOf(value) : -1;
  if (number < 1) throw wrong(path, `one of ${texts.filter((text) => text !== null).join(', ')}`, value);
  return number;
}

function check({ type }: FieldSchema, value: unknown, path: string): void {
  if (type === 'string' ? typeof value === 'string' : type === 'bool' ? typeof value === 'boolean' : false) return;
  if (type === 'bytes' && value instanceof Uint8Array) return;
  const wanted = kindOf(type);
  if (wanted === 'whole number' && Number.isSafeInteger(value) && isWithin(type, value as number)) return;
  if (wanted === 'number' && typeof value === 'number') return;
  throw wrong(path, `a ${wanted}`, value);
}

/** What the wire would cut off silently. */
function isWithin(type: string, value: number): boolean {
  if (type === 'int32') return value >= -(2 ** 31) && value < 2 ** 31;
  if (type === 'uint32') return value >= 0 && value < 2 ** 32;
  return type === 'int64' || value >= 0;
}

function kindOf(type: string): string {
  if (type === 'string') return 'text';
  if (type === 'bool') return 'boolean';
  if (type === 'bytes') return 'buffer';
  return type === 'double' ? 'number' : 'whole number';
}

function wrong(path: string, wanted: string, value: unknown): Error {
  const seen =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 40))
      : Array.isArray(value)
        ? 'a list'
        : typeof value === 'object'
          ? 'an object'
          : JSON.stringify(value);
  return invalidArgument(`${path} must be ${wanted}, not ${seen}`);
}

const wireTypes = { string: 2, bytes: 2, bool: 0, int32: 0, uint32: 0, int64: 0, uint64: 0, double: 1 } as const;
type Scalar = keyof typeof wireTypes;
const tag = (id: number, wireType: number): number => (id << 3) | wireType;

// Reading

function read(type: string, reader: ReaderLike, length: number, path: string): unknown {
  const end = reader.pos + length;
  if (type === timestamp) return readDate(reader, end);
  if (type === empty) {
    reader.pos = end;
    return {};
  }
  const { fields, union } = messageSchema(type);
  const object: Fields = {};
  for (const field of fields) {
    if (field.omitEmpty === true || field.json === true) continue;
    if (field.rule === 'repeated') object[field.name] = [];
    else if (field.rule === 'map') object[field.name] = {};
    else if (field.rule === undefined && field.type in defaults) object[field.name] = defaults[field.type as Scalar];
  }
  while (reader.pos < end) {
    const key = reader.uint32();
    const field = byId(fields, key >>> 3);
    if (field === undefined || ((key & 7) !== wireTypeOf(field) && !isPacked(field, key))) reader.skipType(key & 7);
    else readField(field, key & 7, { fields, object, reader, path, flatUnion: union?.isFlat === true ? union.name : undefined });
  }
  if (reader.pos !== end) throw invalidArgument(`${path} has a field that runs past its end`);
  for (const field of fields) {
    if (isNeeded(field) && object[field.name] === undefined) throw invalidArgument(`${path}.${field.name} is missing`);
  }
  if (union !== undefined && !fields.some(({ name, rule }) => rule === 'member' && (name in object || object[union.name] === name)))
    throw invalidArgument(`${path} has none of ${fields.flatMap(({ name, rule }) => (rule === 'member' ? [name] : [])).join(', ')}`);
  return object;
}

function byId(fields: readonly FieldSchema[], id: number): FieldSchema | undefined {
  return fields.find((field) => field.id === id);
}

function wireTypeOf(field: FieldSchema): number {
  if (field.rule === 'map' || field.json === true) return 2;
  if (field.type === 'enum') return 0;
  return field.type in wireTypes ? wireTypes[field.type as Scalar] : 2;
}

/** Numbers in a list come in one stretch or one by one; both must be understood. */
function isPacked(field: FieldSchema, key: number): boolean {
  return field.rule === 'repeated' && (key & 7) === 2 && wireTypeOf(field) !== 2;
}

/** A message being read. */
interface Reading {
  readonly fields: readonly FieldSchema[];
  readonly object: Fields;
  readonly reader: ReaderLike;
  readonly path: string;
  readonly flatUnion: string | undefined;
}

function readField(field: FieldSchema, wireType: number, { fields, object, reader, path, flatUnion }: Reading): void {
  const place = `${path}.${field.name}`;
  if (field.rule === 'member') readMember(field, { fields, object, reader, path: place, flatUnion });
  else if (field.rule === 'map') readEntry(field, object, reader, place);
  else if (field.rule === 'repeated') {
    const list = (object[field.name] ??= []) as unknown[];
    const readNext = (): void => {
      const value = readOne(field, reader, place);
      if (value !== undefined) list.push(value);
    };
    if (wireType === wireTypeOf(field)) readNext();
    else for (const end = reader.uint32() + reader.pos; reader.pos < end; ) readNext();
  } else {
    const value = readOne(field, reader, place);
    if (value !== undefined) object[field.name] = value;
  }
}

/** The last member on the wire counts, alone. */
function readMember(field: FieldSchema, { fields, object, reader, path, flatUnion }: Reading): void {
  const value = readOne(field, reader, path);
  for (const { name, rule, type } of fields) {
    if (rule !== 'member' || (flatUnion === undefined ? !(name in object) : object[flatUnion] !== name)) continue;
    for (const key of flatUnion === undefined ? [name] : messageSchema(type).fields.map((inner) => inner.name)) delete object[key];
  }
  if (flatUnion === undefined) object[field.name] = value;
  else Object.assign(object, value, { [flatUnion]: field.name });
}

function readEntry(field: FieldSchema, object: Fields, reader: ReaderLike, path: string): void {
  const end = reader.uint32() + reader.pos;
  let key = '';
  let value: unknown = field.type in defaults ? defaults[field.type as Scalar] : undefined;
  while (reader.pos < end) {
    const part = reader.uint32();
    if (part >>> 3 === 1) key = reader.string();
    else if (part >>> 3 === 2) value = readOne(field, reader, path);
    else reader.skipType(part & 7);
  }
  const map = (object[field.name] ??= {}) as Fields;
  // Not an assignment: a key "__proto__" must become a key.
  Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}

function readOne(field: FieldSchema, reader: ReaderLike, path: string): unknown {
  if (field.json === true) return parseJson(reader.bytes(), path);
  if (field.type === 'enum') return field.texts?.[reader.int32()] ?? undefined;
  switch (field.type) {
    case 'int64':
    case 'uint64':
      return safeNumber(reader[field.type](), path);
    case 'bytes': {
      const bytes = reader.bytes();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    case 'string':
    case 'bool':
    case 'int32':
    case 'uint32':
    case 'double':
      return reader[field.type]();
    default:
      return read(field.type, reader, reader.uint32(), path);
  }
}

function readDate(reader: ReaderLike, end: number): Date {
  let seconds = 0;
  let nanos = 0;
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key >>> 3 === 1) seconds = safeNumber(reader.int64(), 'seconds');
    else if (key >>> 3 === 2) nanos = reader.int32();
    else reader.skipType(key & 7);
  }
  const date = new Date(seconds * 1000 + Math.floor(nanos / 1e6));
  if (Number.isNaN(date.getTime())) throw invalidArgument(`a time ${seconds} seconds from 1970 is none`);
  return date;
}

function safeNumber(value: unknown, path: string): number {
  const number = Number(value); // a number, or a Long where 32 bits do not hold it
  if (!Number.isSafeInteger(number)) throw invalidArgument(`${path} is beyond 2^53`);
  return number;
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch (error) {
    throw invalidArgument(`${path} is no JSON: ${messageOf(error)}`);
  }
}

const defaults: Readonly<Record<Scalar, unknown>> = {
  string: '',
  bytes: Buffer.alloc(0),
  bool: false,
  int32: 0,
  uint32: 0,
  int64: 0,
  uint64: 0,
  double: 0,
};
