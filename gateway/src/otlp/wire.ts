// Reads the protobuf of a request into objects of the form that OTLP's JSON has, so that one mapper serves both. How many values it
// makes and how deep it goes is bounded, and text that is not UTF-8 costs a replacement character, never the request.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Field, Message, Scalar } from './messages.ts';
import { tooManyValues } from './too-many.ts';

/** Messages inside messages: a request needs six for an attribute, and three more for each list of values in it. */
const MAX_DEPTH = 64;

const WIRE: Readonly<Record<Scalar, WireType>> = {
  text: WireType.LengthDelimited,
  hex: WireType.LengthDelimited,
  base64: WireType.LengthDelimited,
  int64: WireType.Varint,
  uint32: WireType.Varint,
  bool: WireType.Varint,
  fixed64: WireType.Bit64,
  sfixed64: WireType.Bit64,
  double: WireType.Bit64,
};

/** @throws CodedError `invalid_otlp`, and `batch_too_large` for more than `maxValues` values */
export function readProtobuf(bytes: Uint8Array, message: Message, maxValues: number): unknown {
  const walk = new Walk(bytes, maxValues);
  try {
    return walk.message(message, bytes.length, MAX_DEPTH);
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw broken(); // the reader says it by errors of many kinds
  }
}

class Walk {
  readonly #reader: BinaryReader;
  readonly #maxValues: number;
  #values = 0;

  constructor(bytes: Uint8Array, maxValues: number) {
    this.#reader = new BinaryReader(bytes);
    this.#maxValues = maxValues;
  }

  message(fields: Message, end: number, depth: number): Record<string, unknown> {
    const reader = this.#reader;
    const object: Record<string, unknown> = {};
    while (reader.pos < end) {
      if (++this.#values > this.#maxValues) throw tooManyValues(this.#maxValues);
      const [number, wire] = reader.tag();
      // What is inside a group would be skipped without being counted, and OTLP has none.
      if (wire === WireType.StartGroup || wire === WireType.EndGroup) throw broken();
      const field = fields[number];
      if (field === undefined) reader.skip(wire, number);
      else this.#add(object, field, wire, end, depth);
      if (reader.pos > end) throw broken();
    }
    return object;
  }

  #add(
    object: Record<string, unknown>,
    { name, type, repeated }: Field,
    wire: WireType,
    end: number,
    depth: number,
  ): void {
    const expected = typeof type === 'string' ? WIRE[type] : WireType.LengthDelimited;
    if (wire !== expected) throw broken();
    const value = typeof type === 'string' ? this.#scalar(type) : this.#inner(type, end, depth);
    if (!repeated) object[name] = value;
    else if (Array.isArray(object[name])) object[name].push(value);
    else object[name] = [value];
  }

  #inner(type: Message, end: number, depth: number): unknown {
    const reader = this.#reader;
    const length = reader.uint32();
    const innerEnd = reader.pos + length;
    if (innerEnd > end) throw broken();
    if (depth > 0) return this.message(type, innerEnd, depth - 1);
    reader.pos = innerEnd; // the mapper cuts values long before this depth
    return undefined;
  }

  #scalar(type: Scalar): unknown {
    const reader = this.#reader;
    switch (type) {
      case 'text':
        return reader.string();
      case 'hex':
        return encoded(reader.bytes(), 'hex');
      case 'base64':
        return encoded(reader.bytes(), 'base64');
      case 'int64':
        return reader.int64();
      case 'fixed64':
        return reader.fixed64();
      case 'sfixed64':
        return reader.sfixed64();
      case 'uint32':
        return reader.uint32();
      case 'bool':
        return reader.bool();
      case 'double':
        return reader.double();
    }
  }
}

function encoded(bytes: Uint8Array, encoding: 'hex' | 'base64'): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}

function broken(): CodedError {
  return new CodedError('invalid_otlp', 'the body is not the protobuf of an OTLP request');
}
