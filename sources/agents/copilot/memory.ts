import type {Json, JsonObject}  from '../../interchange/index.ts';
import {shortKey, stringAt}     from '../values.ts';
import {NeedsFullRead}          from '../types.ts';

/** Lines that a bounded reader can be rewound over. */
const REACH = 2_000;
/** An image stands right before the line that it belongs to (1.0.102): after so many lines its bytes are let go. */
const NEAR = 8;
const MOST_BYTES = 8 << 20;

type Point = [id: string, tip: number];

/** Which record each line of the recent past followed, for going back to it. */
export class Points {
  private points: Map<string, number>;
  private cut: boolean;

  constructor(private readonly unbounded: boolean, saved?: {points: Array<Point>; cut: boolean}) {
    this.points = new Map(saved?.points);
    this.cut = saved?.cut ?? false;
  }

  add(id: string, tip: number) {
    const key = shortKey(id);
    this.points.delete(key);
    this.points.set(key, tip);
    if (this.unbounded || this.points.size < 2 * REACH)
      return;
    for (const old of this.points.keys()) {
      if (this.points.size <= REACH)
        break;
      this.points.delete(old);
    }
    this.cut = true;
  }

  get(id: string): number | undefined {
    const tip = this.points.get(shortKey(id));
    if (tip === undefined && this.cut)
      throw new NeedsFullRead(`A rewind goes further back than the state reaches`);
    return tip;
  }

  save(): Json {
    const all = [...this.points];
    return {points: all.slice(-REACH), cut: this.cut || all.length > REACH};
  }
}

type Asset = {id: string; data: string; mediaType: string; at: number};

/** Images that stand in lines of their own. */
export class Assets {
  private readonly assets: Map<string, Asset>;
  private line: number;
  private cut: boolean;

  constructor(private readonly unbounded: boolean, saved?: {assets: Array<Asset>; line: number; cut: boolean}) {
    this.assets = new Map(saved?.assets.map(asset => [asset.id, asset]));
    this.line = saved?.line ?? 0;
    this.cut = saved?.cut ?? false;
  }

  /** A line begins. */
  next() {
    this.line += 1;
    if (this.unbounded)
      return;
    let bytes = 0;
    for (const asset of [...this.assets.values()].reverse()) {
      bytes += asset.data.length;
      if (asset.at < this.line - NEAR || bytes > MOST_BYTES) {
        this.assets.delete(asset.id);
        this.cut = true;
      }
    }
  }

  add(data: JsonObject) {
    const id = stringAt(data, `assetId`);
    const bytes = stringAt(data, `data`);
    if (id === undefined || bytes === undefined)
      return;
    const key = shortKey(id, 100);
    this.assets.delete(key);
    this.assets.set(key, {id: key, data: bytes, mediaType: stringAt(data, `mimeType`) ?? `application/octet-stream`, at: this.line});
  }

  get(id: string): {data: string; mediaType: string} | null {
    const asset = this.assets.get(shortKey(id, 100));
    if (asset === undefined && this.cut)
      throw new NeedsFullRead(`An image stands further back than the state reaches`);
    return asset === undefined ? null : {data: asset.data, mediaType: asset.mediaType};
  }

  save(): Json {
    return {assets: [...this.assets.values()], line: this.line, cut: this.cut};
  }
}
