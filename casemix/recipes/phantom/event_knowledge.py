"""What the simulator of event streams knows of diseases, drugs, measurements and procedures.

Invented for realistic dependence, not for clinical use: the rates are round numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

CLINIC, EMERGENCY = "VISIT//CLINIC", "VISIT//EMERGENCY"
ADMITTED = ("HOSPITAL_ADMISSION//ELECTIVE", "HOSPITAL_ADMISSION//EMERGENCY")
DISCHARGED = ("HOSPITAL_DISCHARGE//HOME", "HOSPITAL_DISCHARGE//REHABILITATION")
DEATH = "MEDS_DEATH"


@dataclass(frozen=True)
class Measurement:
    """A laboratory result or vital sign.

    Args:
        code: its code without prefix.
        unit: UCUM unit.
        mean: of a healthy adult.
        sd: standard deviation between and within healthy adults together.
        step: recorded resolution.
        skewed: whether values are log-normal; ``sd`` is then that of the logarithm.
    """

    code: str
    unit: str
    mean: float
    sd: float
    step: float
    skewed: bool = False


@dataclass(frozen=True)
class Disease:
    """A disease and what follows from it.

    Args:
        code: ICD-10 code.
        rate: chance of onset between two visits at age 60, in [0, 1].
        older: change of the log rate per decade of age.
        female: change of the log rate of women; -inf = men only.
        smoker: change of the log rate of smokers.
        after: diseases that raise the rate fourfold.
        drugs: the ladder, from the first to the last line of treatment.
        tests: measurements -> shift in their standard deviations while untreated.
        procedure: done in most of the newly diagnosed, or "".
        symptom: told before the diagnosis, or "".
        acute: whether it is over by the next visit, and mostly treated in hospital.
        deadly: added to the chance of death at a visit.
    """

    code: str
    rate: float
    older: float
    drugs: tuple[str, ...]
    tests: dict[str, float]
    procedure: str = ""
    symptom: str = ""
    female: float = 0.0
    smoker: float = 0.0
    after: tuple[str, ...] = ()
    acute: bool = False
    deadly: float = 0.0


MEASUREMENTS = (
    Measurement("HBA1C", "%", 5.4, 0.4, 0.1),
    Measurement("GLUCOSE", "mg/dL", 98.0, 0.14, 1.0, skewed=True),
    Measurement("CREATININE", "mg/dL", 0.9, 0.18, 0.01, skewed=True),
    Measurement("POTASSIUM", "mmol/L", 4.2, 0.35, 0.1),
    Measurement("SODIUM", "mmol/L", 140.0, 2.6, 1.0),
    Measurement("LDL", "mg/dL", 118.0, 30.0, 1.0),
    Measurement("HAEMOGLOBIN", "g/dL", 13.8, 1.2, 0.1),
    Measurement("TSH", "m[IU]/L", 1.8, 0.45, 0.01, skewed=True),
    Measurement("NT_PROBNP", "pg/mL", 85.0, 0.7, 1.0, skewed=True),
    Measurement("TROPONIN", "ng/L", 7.0, 0.5, 1.0, skewed=True),
    Measurement("CRP", "mg/L", 2.2, 0.8, 0.1, skewed=True),
    Measurement("LEUKOCYTES", "10*9/L", 7.0, 0.22, 0.1, skewed=True),
    Measurement("FEV1", "L", 2.9, 0.5, 0.01),
    Measurement("VITAMIN_D", "ng/mL", 28.0, 8.0, 1.0),
    Measurement("SYSTOLIC_BP", "mm[Hg]", 124.0, 11.0, 1.0),
    Measurement("HEART_RATE", "/min", 72.0, 9.0, 1.0),
    Measurement("WEIGHT", "kg", 76.0, 13.0, 0.5),
    Measurement("OXYGEN_SATURATION", "%", 97.0, 1.1, 1.0),
)

DISEASES = (
    Disease("I10", 0.06, 0.35, ("AMLODIPINE", "RAMIPRIL", "CHLORTALIDONE"),
            {"SYSTOLIC_BP": 2.6, "CREATININE": 0.4}, "ECG"),
    Disease("E11", 0.035, 0.25, ("METFORMIN", "EMPAGLIFLOZIN", "INSULIN_GLARGINE"),
            {"HBA1C": 5.0, "GLUCOSE": 3.5}, "RETINOGRAPHY", "FATIGUE", after=("E66",)),
    Disease("E78", 0.05, 0.25, ("ATORVASTATIN", "EZETIMIBE"), {"LDL": 1.9}),
    Disease("I25", 0.02, 0.50, ("ASPIRIN", "BISOPROLOL", "RANOLAZINE"),
            {"LDL": 0.6, "HEART_RATE": 0.4}, "STRESS_TEST", "CHEST_PAIN",
            female=-0.5, smoker=0.7, after=("E11", "E78", "I10")),
    Disease("I21", 0.006, 0.40, ("CLOPIDOGREL", "HEPARIN"), {"TROPONIN": 6.0, "CRP": 1.2}, "PCI",
            "CHEST_PAIN", female=-0.5, smoker=0.8, after=("I25",), acute=True, deadly=0.06),
    Disease("I50", 0.012, 0.60, ("FUROSEMIDE", "SPIRONOLACTONE", "SACUBITRIL"),
            {"NT_PROBNP": 3.2, "WEIGHT": 0.6, "OXYGEN_SATURATION": -1.0}, "ECHOCARDIOGRAPHY",
            "DYSPNOEA", after=("I21", "I48"), deadly=0.015),
    Disease("I48", 0.012, 0.60, ("APIXABAN", "AMIODARONE"), {"HEART_RATE": 2.2}, "ECG",
            "PALPITATIONS", after=("I50",)),
    Disease("N18", 0.012, 0.50, ("DAPAGLIFLOZIN", "SEVELAMER"),
            {"CREATININE": 4.0, "POTASSIUM": 1.4, "HAEMOGLOBIN": -0.9}, "RENAL_ULTRASOUND",
            after=("E11", "I10"), deadly=0.006),
    Disease("J44", 0.015, 0.35, ("TIOTROPIUM", "FLUTICASONE", "ROFLUMILAST"),
            {"FEV1": -2.4, "OXYGEN_SATURATION": -1.6}, "SPIROMETRY", "COUGH", smoker=1.8,
            deadly=0.008),
    Disease("J18", 0.012, 0.40, ("AMOXICILLIN", "CEFTRIAXONE"),
            {"CRP": 4.0, "LEUKOCYTES": 2.4, "OXYGEN_SATURATION": -2.0}, "CHEST_XRAY", "FEVER",
            smoker=0.4, after=("J44",), acute=True, deadly=0.04),
    Disease("J45", 0.010, -0.20, ("SALBUTAMOL", "BUDESONIDE"), {"FEV1": -1.2}, "SPIROMETRY",
            "COUGH", female=0.3),
    Disease("F32", 0.020, -0.10, ("SERTRALINE", "MIRTAZAPINE"), {"WEIGHT": 0.2}, "",
            "FATIGUE", female=0.5),
    Disease("K21", 0.020, 0.05, ("OMEPRAZOLE",), {"HAEMOGLOBIN": -0.2}, "GASTROSCOPY"),
    Disease("M17", 0.020, 0.50, ("PARACETAMOL", "NAPROXEN", "TRAMADOL"), {"WEIGHT": 0.4},
            "KNEE_XRAY", "JOINT_PAIN", female=0.3, after=("E66",)),
    Disease("E03", 0.010, 0.10, ("LEVOTHYROXINE",), {"TSH": 3.6}, "THYROID_ULTRASOUND", "FATIGUE",
            female=1.2),
    Disease("D50", 0.012, 0.10, ("IRON_SULFATE", "IRON_INFUSION"), {"HAEMOGLOBIN": -2.6},
            "GASTROSCOPY", "FATIGUE", female=0.8),
    Disease("C50", 0.006, 0.30, ("TAMOXIFEN", "PACLITAXEL"), {"LEUKOCYTES": -1.2}, "MAMMOGRAPHY",
            deadly=0.012),
    Disease("C61", 0.007, 0.60, ("BICALUTAMIDE", "DOCETAXEL"), {"HAEMOGLOBIN": -0.6},
            "PROSTATE_BIOPSY", "DYSURIA", female=float("-inf"), deadly=0.008),
    Disease("I63", 0.005, 0.60, ("ALTEPLASE", "DIPYRIDAMOLE"), {"SYSTOLIC_BP": 1.5}, "CT_HEAD",
            "DIZZINESS", smoker=0.4, after=("I48", "I10"), acute=True, deadly=0.05),
    Disease("N39", 0.018, 0.15, ("NITROFURANTOIN", "CIPROFLOXACIN"),
            {"CRP": 1.8, "LEUKOCYTES": 1.5}, "URINE_CULTURE", "DYSURIA", female=0.9, acute=True),
    Disease("E66", 0.020, -0.05, ("SEMAGLUTIDE",), {"WEIGHT": 2.2, "GLUCOSE": 0.5}),
    Disease("G47", 0.010, 0.10, ("CPAP_DEVICE",), {"OXYGEN_SATURATION": -0.8}, "POLYSOMNOGRAPHY",
            "FATIGUE", female=-0.6, after=("E66",)),
    Disease("M81", 0.012, 0.60, ("ALENDRONATE", "DENOSUMAB"), {"VITAMIN_D": -1.4}, "DENSITOMETRY",
            female=1.2),
    Disease("S72", 0.004, 0.90, ("ENOXAPARIN", "MORPHINE"), {"HAEMOGLOBIN": -1.5},
            "HIP_REPLACEMENT", "FALL", female=0.5, after=("M81",), acute=True, deadly=0.03),
)  # fmt: skip
