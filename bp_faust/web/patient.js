// One patient: counts, averages, alerts and the latest readings.

import {get, path} from "./api.js";
import {element, table} from "./dom.js";
import {count, pressure, time} from "./format.js";

export function title([patientId]) {
  return `Patient ${patientId}`;
}

export async function show(place, [patientId]) {
  const patient = await get(path("patients", patientId));
  place.append(
    element("p", null, `${count(patient.readings)} readings, ${count(patient.implausible)} implausible.`),
    table("Anomalies", [
      {title: "Type", cell: ([type]) => type},
      {title: "Readings", number: true, cell: ([, number]) => count(number)},
    ], Object.entries(patient.anomalies)),
    table("Latest readings", [
      {title: "Measured", cell: reading => time(reading.timestamp)},
      {title: "Systolic (mmHg)", number: true, cell: reading => pressure(reading.systolic_pressure)},
      {title: "Diastolic (mmHg)", number: true, cell: reading => pressure(reading.diastolic_pressure)},
      {title: "Finding", cell: reading => reading.anomaly_type || ""},
    ], patient.latest_readings));
}
