"use strict";
// Numbers as places and as text.

/** A scale from [low, high] to pixels; logarithmic ones take positive numbers alone. */
function makeScale(low, high, from, to, isLogarithmic) {
  const place = isLogarithmic ? Math.log10 : (value) => value;
  const [a, b] = [place(low), place(high)];
  const span = b - a || 1;
  return {
    low, high, isLogarithmic,
    at: (value) => from + (place(value) - a) / span * (to - from),
    invert: (pixel) => {
      const value = a + (pixel - from) / (to - from) * span;
      return isLogarithmic ? 10 ** value : value;
    },
  };
}

/** About `count` round numbers from low to high. */
function linearTicks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return [low];
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = decade * [1, 2, 5, 10].find((factor) => factor * decade >= raw * 0.8);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) ticks.push(index * step);
  return ticks;
}

function logarithmicTicks(low, high, count) {
  const decades = Math.log10(high / low);
  // Within less than a decade the round numbers of a linear scale are the better ones.
  if (decades < 1) return linearTicks(low, high, count);
  const factors = decades <= 2 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += every) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  }
  return ticks;
}

const durations = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

function timeTicks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const step = durations.find((seconds) => seconds >= raw) || Math.ceil(raw / 86400) * 86400;
  if (raw < 0.5) return linearTicks(low, high, count);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) ticks.push(value);
  return ticks;
}

// MARK: Text

/** "1,234,567" */
function grouped(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1.5M": of counts. */
function short(value) {
  for (const [unit, name] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= unit) return trimmed(value / unit, 3) + name;
  }
  return trimmed(value, 3);
}

/** With so many significant digits, and no zeros at the end. */
function trimmed(value, digits) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(digits)));
}

/** A loss, a norm, a rate: five significant digits. */
function number(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(3).replace(/\.?0+e/, "e");
  return value.toPrecision(5).replace(/e.*/, "");
}

/** "12.5 s", "3:05 min", "2 h 05 min", "3 d 4 h". */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return trimmed(seconds, 3) + " s";
  const total = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  if (total < 3600) return `${Math.floor(total / 60)}:${two(total % 60)} min`;
  if (total < 86400) return `${Math.floor(total / 3600)} h ${two(Math.floor(total / 60) % 60)} min`;
  return `${Math.floor(total / 86400)} d ${Math.floor(total / 3600) % 24} h`;
}

function durationTick(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 60) return trimmed(seconds, 3) + " s";
  if (seconds % 86400 === 0) return seconds / 86400 + " d";
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60, rest = seconds % 60;
  if (hours) return hours + " h" + (minutes ? " " + minutes : "");
  return minutes + (rest ? ":" + String(rest).padStart(2, "0") : "") + " min";
}

/** The ways to lay out the horizontal axis. */
const axes = {
  step: { label: "step", name: "Step", ticks: linearTicks, tick: short, value: (x) => "step " + grouped(x) },
  tokens: { label: "tokens", name: "Tokens", ticks: linearTicks, tick: short, value: (x) => short(x) + " tokens" },
  time: { label: "training time", name: "Time", ticks: timeTicks, tick: durationTick, value: duration },
};
