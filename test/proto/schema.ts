import protobuf from 'protobufjs';
import type { FieldSchema, MessageSchema, Schema, ServiceSchema } from '../../sdk/rpc/schema.ts';
import { enumTexts, isOptional, kindOf, lowerFirst, option, packages, unionOf } from './load.ts';

/** What the adapter needs to know at run time, as data. */
export function schemaOf(root: protobuf.Root): Schema {
  const services: Record<string, ServiceSchema> = {};
  const messages: Record<string, MessageSchema> = {};
  for (const space of packages(root)) {
    for (const item of space.nestedArray) {
      if (item instanceof protobuf.Service) services[kindOf(item)] = service(item, space);
      if (item instanceof protobuf.Type && item.name !== 'CallOptions') messages[name(item)] = message(item);
    }
  }
  return { services, messages };
}

const name = (type: protobuf.ReflectionObject): string => type.fullName.slice(1);

function service(item: protobuf.Service, space: protobuf.Namespace): ServiceSchema {
  const properties = space.get('Properties');
  return {
    path: name(item),
    ...(properties === null ? {} : { properties: name(properties) }),
    methods: Object.fromEntries(
      item.methodsArray.map((method) => [
        lowerFirst(method.name),
        {
          rpc: method.name,
          request: typeName(method.resolvedRequestType, method.requestType),
          answer: typeName(method.resolvedResponseType, method.responseType),
          ...(method.requestStream ? { requestStream: true } : {}),
          ...(method.responseStream ? { answerStream: true } : {}),
        },
      ]),
    ),
  };
}

const typeName = (type: protobuf.Type | null, given: string): string => (type === null ? given.replace(/^\./, '') : name(type));

function message(type: protobuf.Type): MessageSchema {
  const union = unionOf(type);
  return {
    fields: type.fieldsArray.map(field),
    ...(union === undefined
      ? {}
      : { union: { name: union.name, isFlat: union.fieldsArray.every((member) => member.resolvedType instanceof protobuf.Type) } }),
  };
}

function field(item: protobuf.Field): FieldSchema {
  const { resolvedType } = item;
  const fixed: Partial<FieldSchema> =
    resolvedType instanceof protobuf.Enum
      ? { type: 'enum', texts: enumTexts(resolvedType) }
      : item.resolvedType instanceof protobuf.Type
        ? { type: name(item.resolvedType) }
        : { type: item.type };
  return {
    name: item.name,
    id: item.id,
    type: item.type,
    ...fixed,
    ...(item.repeated ? { rule: 'repeated' as const } : {}),
    ...(item.map ? { rule: 'map' as const } : {}),
    ...(isOptional(item) ? { rule: 'optional' as const } : {}),
    ...(item.partOf !== null && item.partOf !== undefined && !isOptional(item) ? { rule: 'member' as const } : {}),
    ...(option(item, 'omit_empty') === true ? { omitEmpty: true } : {}),
    ...(option(item, 'json') === true ? { json: true } : {}),
  };
}
