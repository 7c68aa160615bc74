//! The prefixes and atoms of UCUM, as facts.
//!
//! Spec: UCUM 2.2, 4 Tables of Terminal Symbols

use std::collections::HashMap;

use super::exact::Exact;
use super::parse::{self, Unit};

/// What codes are made of.
#[derive(Debug)]
pub(super) struct Atoms {
    pub prefixes: Vec<(&'static str, Exact)>,
    named: HashMap<&'static str, Atom>,
}

#[derive(Debug)]
pub(super) struct Atom {
    pub unit: Unit,
    /// May have a prefix.
    pub is_metric: bool,
}

impl Atoms {
    /// Reads the tables; each line is defined by those above it.
    pub(super) fn load() -> Atoms {
        let prefixes = PREFIXES.iter().filter_map(|(code, factor)| Some((*code, Exact::parse(factor)?)));
        let mut atoms = Atoms { prefixes: prefixes.collect(), named: HashMap::new() };
        for code in BASE {
            atoms.add(code, METRIC, Unit::base(code));
        }
        for (code, is_metric, value, unit) in DEFINED {
            if let (Some(value), Some(unit)) = (Exact::parse(value), parse::unit(unit, &atoms))
                && let Some(factor) = unit.factor.factor_times(&value)
            {
                atoms.add(code, *is_metric, Unit { factor, ..unit });
            }
        }
        for (code, over, under, zero) in TEMPERATURES {
            if let (Some(factor), Some(zero)) = (Exact::fraction(*over, *under), Exact::parse(zero)) {
                // All zeros are given in the unit itself, so that they take its factor.
                let offset = Some(zero.times(&factor));
                let unit = Unit { factor, offset, is_special: true, ..Unit::base("K") };
                atoms.add(code, *code == "Cel", unit);
            }
        }
        for code in ARBITRARY {
            atoms.add(code, PLAIN, Unit::base(code));
        }
        for code in ["[iU]", "[IU]"] {
            atoms.add(code, METRIC, Unit::base("[iU]"));
        }
        for (code, is_metric) in SPECIAL {
            atoms.add(code, *is_metric, Unit { is_special: true, ..Unit::base(code) });
        }
        atoms
    }

    pub(super) fn named(&self, code: &str) -> Option<&Atom> {
        self.named.get(code)
    }

    fn add(&mut self, code: &'static str, is_metric: bool, unit: Unit) {
        self.named.insert(code, Atom { unit, is_metric });
    }
}

const METRIC: bool = true;
const PLAIN: bool = false;

const PREFIXES: &[(&str, &str)] = &[
    ("Y", "1e24"),
    ("Z", "1e21"),
    ("E", "1e18"),
    ("P", "1e15"),
    ("T", "1e12"),
    ("G", "1e9"),
    ("M", "1e6"),
    ("k", "1e3"),
    ("h", "1e2"),
    ("da", "1e1"),
    ("d", "1e-1"),
    ("c", "1e-2"),
    ("m", "1e-3"),
    ("u", "1e-6"),
    ("n", "1e-9"),
    ("p", "1e-12"),
    ("f", "1e-15"),
    ("a", "1e-18"),
    ("z", "1e-21"),
    ("y", "1e-24"),
    ("Ki", "1024"),
    ("Mi", "1048576"),
    ("Gi", "1073741824"),
    ("Ti", "1099511627776"),
];

/// The units that no other defines.
const BASE: &[&str] = &["m", "s", "g", "rad", "K", "C", "cd"];

/// Code, whether it takes prefixes, and what it is: a number of a unit.
const DEFINED: &[(&str, bool, &str, &str)] = &[
    // Numbers.
    ("10*", PLAIN, "10", "1"),
    ("10^", PLAIN, "10", "1"),
    ("[pi]", PLAIN, "3.1415926535897932384626433832795028841971693993751058209749445923", "1"),
    ("%", PLAIN, "1", "10*-2"),
    ("[ppth]", PLAIN, "1", "10*-3"),
    ("[ppm]", PLAIN, "1", "10*-6"),
    ("[ppb]", PLAIN, "1", "10*-9"),
    ("[pptr]", PLAIN, "1", "10*-12"),
    // SI.
    ("mol", METRIC, "6.02214076", "10*23"),
    ("sr", METRIC, "1", "rad2"),
    ("Hz", METRIC, "1", "s-1"),
    ("N", METRIC, "1", "kg.m/s2"),
    ("Pa", METRIC, "1", "N/m2"),
    ("J", METRIC, "1", "N.m"),
    ("W", METRIC, "1", "J/s"),
    ("A", METRIC, "1", "C/s"),
    ("V", METRIC, "1", "J/C"),
    ("F", METRIC, "1", "C/V"),
    ("Ohm", METRIC, "1", "V/A"),
    ("S", METRIC, "1", "Ohm-1"),
    ("Wb", METRIC, "1", "V.s"),
    ("T", METRIC, "1", "Wb/m2"),
    ("H", METRIC, "1", "Wb/A"),
    ("lm", METRIC, "1", "cd.sr"),
    ("lx", METRIC, "1", "lm/m2"),
    ("Bq", METRIC, "1", "s-1"),
    ("Gy", METRIC, "1", "J/kg"),
    ("Sv", METRIC, "1", "J/kg"),
    // ISO 1000 and beside it.
    ("deg", PLAIN, "2", "[pi].rad/360"),
    ("gon", PLAIN, "0.9", "deg"),
    ("'", PLAIN, "1", "deg/60"),
    ("''", PLAIN, "1", "'/60"),
    ("l", METRIC, "1", "dm3"),
    ("L", METRIC, "1", "l"),
    ("ar", METRIC, "100", "m2"),
    ("min", PLAIN, "60", "s"),
    ("h", PLAIN, "60", "min"),
    ("d", PLAIN, "24", "h"),
    ("a_t", PLAIN, "365.24219", "d"),
    ("a_j", PLAIN, "365.25", "d"),
    ("a_g", PLAIN, "365.2425", "d"),
    ("a", PLAIN, "1", "a_j"),
    ("wk", PLAIN, "7", "d"),
    ("mo_s", PLAIN, "29.53059", "d"),
    ("mo_j", PLAIN, "1", "a_j/12"),
    ("mo_g", PLAIN, "1", "a_g/12"),
    ("mo", PLAIN, "1", "mo_j"),
    ("t", METRIC, "1e3", "kg"),
    ("bar", METRIC, "1e5", "Pa"),
    ("u", METRIC, "1.66053906660e-24", "g"),
    ("AU", PLAIN, "149597.870691", "Mm"),
    ("pc", METRIC, "3.085678e16", "m"),
    // Constants of nature.
    ("[c]", METRIC, "299792458", "m/s"),
    ("[h]", METRIC, "6.62607015e-34", "J.s"),
    ("[k]", METRIC, "1.380649e-23", "J/K"),
    ("[eps_0]", METRIC, "8.854187817e-12", "F/m"),
    ("[mu_0]", METRIC, "1", "4.[pi].10*-7.N/A2"),
    ("[e]", METRIC, "1.602176634e-19", "C"),
    ("eV", METRIC, "1", "[e].V"),
    ("[m_e]", METRIC, "9.1093837139e-31", "kg"),
    ("[m_p]", METRIC, "1.67262192595e-27", "kg"),
    ("[G]", METRIC, "6.67430e-11", "m3.kg-1.s-2"),
    ("[g]", METRIC, "9.80665", "m/s2"),
    ("atm", PLAIN, "101325", "Pa"),
    ("[ly]", METRIC, "1", "[c].a_j"),
    ("gf", METRIC, "1", "g.[g]"),
    // CGS.
    ("Ky", METRIC, "1", "cm-1"),
    ("Gal", METRIC, "1", "cm/s2"),
    ("dyn", METRIC, "1", "g.cm/s2"),
    ("erg", METRIC, "1", "dyn.cm"),
    ("P", METRIC, "1", "dyn.s/cm2"),
    ("Bi", METRIC, "10", "A"),
    ("St", METRIC, "1", "cm2/s"),
    ("Mx", METRIC, "1e-8", "Wb"),
    ("G", METRIC, "1e-4", "T"),
    ("Oe", METRIC, "250", "/[pi].A/m"),
    ("Gb", METRIC, "1", "Oe.cm"),
    ("sb", METRIC, "1", "cd/cm2"),
    ("Lmb", METRIC, "1", "cd/cm2/[pi]"),
    // UCUM's figure; elsewhere a phot is ten thousand lux.
    ("ph", METRIC, "1e-4", "lx"),
    ("Ci", METRIC, "3.7e10", "Bq"),
    ("R", METRIC, "2.58e-4", "C/kg"),
    ("RAD", METRIC, "100", "erg/g"),
    ("REM", METRIC, "1", "RAD"),
    // International customary units.
    ("[in_i]", PLAIN, "2.54", "cm"),
    ("[ft_i]", PLAIN, "12", "[in_i]"),
    ("[yd_i]", PLAIN, "3", "[ft_i]"),
    ("[mi_i]", PLAIN, "5280", "[ft_i]"),
    ("[fth_i]", PLAIN, "6", "[ft_i]"),
    ("[nmi_i]", PLAIN, "1852", "m"),
    ("[kn_i]", PLAIN, "1", "[nmi_i]/h"),
    ("[sin_i]", PLAIN, "1", "[in_i]2"),
    ("[sft_i]", PLAIN, "1", "[ft_i]2"),
    ("[syd_i]", PLAIN, "1", "[yd_i]2"),
    ("[cin_i]", PLAIN, "1", "[in_i]3"),
    ("[cft_i]", PLAIN, "1", "[ft_i]3"),
    ("[cyd_i]", PLAIN, "1", "[yd_i]3"),
    ("[bf_i]", PLAIN, "144", "[in_i]3"),
    ("[cr_i]", PLAIN, "128", "[ft_i]3"),
    ("[mil_i]", PLAIN, "1e-3", "[in_i]"),
    ("[cml_i]", PLAIN, "1", "[pi]/4.[mil_i]2"),
    ("[hd_i]", PLAIN, "4", "[in_i]"),
    // Survey lengths of the United States.
    ("[ft_us]", PLAIN, "1200", "m/3937"),
    ("[yd_us]", PLAIN, "3", "[ft_us]"),
    ("[in_us]", PLAIN, "1", "[ft_us]/12"),
    ("[rd_us]", PLAIN, "16.5", "[ft_us]"),
    ("[ch_us]", PLAIN, "4", "[rd_us]"),
    ("[lk_us]", PLAIN, "1", "[ch_us]/100"),
    ("[rch_us]", PLAIN, "100", "[ft_us]"),
    ("[rlk_us]", PLAIN, "1", "[rch_us]/100"),
    ("[fth_us]", PLAIN, "6", "[ft_us]"),
    ("[fur_us]", PLAIN, "40", "[rd_us]"),
    ("[mi_us]", PLAIN, "8", "[fur_us]"),
    ("[acr_us]", PLAIN, "160", "[rd_us]2"),
    ("[srd_us]", PLAIN, "1", "[rd_us]2"),
    ("[smi_us]", PLAIN, "1", "[mi_us]2"),
    ("[sct]", PLAIN, "1", "[mi_us]2"),
    ("[twp]", PLAIN, "36", "[sct]"),
    ("[mil_us]", PLAIN, "1e-3", "[in_us]"),
    // British imperial lengths.
    ("[in_br]", PLAIN, "2.539998", "cm"),
    ("[ft_br]", PLAIN, "12", "[in_br]"),
    ("[rd_br]", PLAIN, "16.5", "[ft_br]"),
    ("[ch_br]", PLAIN, "4", "[rd_br]"),
    ("[lk_br]", PLAIN, "1", "[ch_br]/100"),
    ("[fth_br]", PLAIN, "6", "[ft_br]"),
    ("[pc_br]", PLAIN, "2.5", "[ft_br]"),
    ("[yd_br]", PLAIN, "3", "[ft_br]"),
    ("[mi_br]", PLAIN, "5280", "[ft_br]"),
    ("[nmi_br]", PLAIN, "6080", "[ft_br]"),
    ("[kn_br]", PLAIN, "1", "[nmi_br]/h"),
    ("[acr_br]", PLAIN, "4840", "[yd_br]2"),
    // Volumes of the United States, also dry and of the kitchen.
    ("[gal_us]", PLAIN, "231", "[in_i]3"),
    ("[bbl_us]", PLAIN, "42", "[gal_us]"),
    ("[qt_us]", PLAIN, "1", "[gal_us]/4"),
    ("[pt_us]", PLAIN, "1", "[qt_us]/2"),
    ("[gil_us]", PLAIN, "1", "[pt_us]/4"),
    ("[foz_us]", PLAIN, "1", "[gil_us]/4"),
    ("[fdr_us]", PLAIN, "1", "[foz_us]/8"),
    ("[min_us]", PLAIN, "1", "[fdr_us]/60"),
    ("[crd_us]", PLAIN, "128", "[ft_i]3"),
    ("[bu_us]", PLAIN, "2150.42", "[in_i]3"),
    ("[gal_wi]", PLAIN, "1", "[bu_us]/8"),
    ("[pk_us]", PLAIN, "1", "[bu_us]/4"),
    ("[dqt_us]", PLAIN, "1", "[pk_us]/8"),
    ("[dpt_us]", PLAIN, "1", "[dqt_us]/2"),
    ("[tbs_us]", PLAIN, "1", "[foz_us]/2"),
    ("[tsp_us]", PLAIN, "1", "[tbs_us]/3"),
    ("[cup_us]", PLAIN, "16", "[tbs_us]"),
    ("[foz_m]", PLAIN, "30", "mL"),
    ("[cup_m]", PLAIN, "240", "mL"),
    ("[tsp_m]", PLAIN, "5", "mL"),
    ("[tbs_m]", PLAIN, "15", "mL"),
    // British imperial volumes.
    ("[gal_br]", PLAIN, "4.54609", "l"),
    ("[pk_br]", PLAIN, "2", "[gal_br]"),
    ("[bu_br]", PLAIN, "4", "[pk_br]"),
    ("[qt_br]", PLAIN, "1", "[gal_br]/4"),
    ("[pt_br]", PLAIN, "1", "[qt_br]/2"),
    ("[gil_br]", PLAIN, "1", "[pt_br]/4"),
    ("[foz_br]", PLAIN, "1", "[gil_br]/5"),
    ("[fdr_br]", PLAIN, "1", "[foz_br]/8"),
    ("[min_br]", PLAIN, "1", "[fdr_br]/60"),
    // Weights: avoirdupois, troy, of the apothecaries.
    ("[gr]", PLAIN, "64.79891", "mg"),
    ("[lb_av]", PLAIN, "7000", "[gr]"),
    ("[oz_av]", PLAIN, "1", "[lb_av]/16"),
    ("[dr_av]", PLAIN, "1", "[oz_av]/16"),
    ("[scwt_av]", PLAIN, "100", "[lb_av]"),
    ("[lcwt_av]", PLAIN, "112", "[lb_av]"),
    ("[ston_av]", PLAIN, "20", "[scwt_av]"),
    ("[lton_av]", PLAIN, "20", "[lcwt_av]"),
    ("[stone_av]", PLAIN, "14", "[lb_av]"),
    ("[lbf_av]", PLAIN, "1", "[lb_av].[g]"),
    ("[pwt_tr]", PLAIN, "24", "[gr]"),
    ("[oz_tr]", PLAIN, "20", "[pwt_tr]"),
    ("[lb_tr]", PLAIN, "12", "[oz_tr]"),
    ("[sc_ap]", PLAIN, "20", "[gr]"),
    ("[dr_ap]", PLAIN, "3", "[sc_ap]"),
    ("[oz_ap]", PLAIN, "8", "[dr_ap]"),
    ("[lb_ap]", PLAIN, "12", "[oz_ap]"),
    ("[oz_m]", PLAIN, "28", "g"),
    // Of typesetters.
    ("[lne]", PLAIN, "1", "[in_i]/12"),
    ("[pnt]", PLAIN, "1", "[lne]/6"),
    ("[pca]", PLAIN, "12", "[pnt]"),
    ("[pnt_pr]", PLAIN, "0.013837", "[in_i]"),
    ("[pca_pr]", PLAIN, "12", "[pnt_pr]"),
    ("[pied]", PLAIN, "32.48", "cm"),
    ("[pouce]", PLAIN, "1", "[pied]/12"),
    ("[ligne]", PLAIN, "1", "[pouce]/12"),
    ("[didot]", PLAIN, "1", "[ligne]/6"),
    ("[cicero]", PLAIN, "12", "[didot]"),
    // Heat and thread.
    ("[degR]", PLAIN, "5", "K/9"),
    ("cal_[15]", METRIC, "4.18580", "J"),
    ("cal_[20]", METRIC, "4.18190", "J"),
    ("cal_m", METRIC, "4.19002", "J"),
    ("cal_IT", METRIC, "4.1868", "J"),
    ("cal_th", METRIC, "4.184", "J"),
    ("cal", METRIC, "1", "cal_th"),
    ("[Cal]", PLAIN, "1", "kcal_th"),
    ("[Btu_39]", PLAIN, "1.05967", "kJ"),
    ("[Btu_59]", PLAIN, "1.05480", "kJ"),
    ("[Btu_60]", PLAIN, "1.05468", "kJ"),
    ("[Btu_m]", PLAIN, "1.05587", "kJ"),
    ("[Btu_IT]", PLAIN, "1.05505585262", "kJ"),
    ("[Btu_th]", PLAIN, "1.054350", "kJ"),
    ("[Btu]", PLAIN, "1", "[Btu_th]"),
    ("[HP]", PLAIN, "550", "[ft_i].[lbf_av]/s"),
    ("tex", METRIC, "1", "g/km"),
    ("[den]", PLAIN, "1", "g/9/km"),
    // Clinical units.
    ("m[H2O]", METRIC, "9.80665", "kPa"),
    ("m[Hg]", METRIC, "133.3220", "kPa"),
    ("[in_i'H2O]", PLAIN, "1", "m[H2O].[in_i]/m"),
    ("[in_i'Hg]", PLAIN, "1", "m[Hg].[in_i]/m"),
    ("[PRU]", PLAIN, "1", "mm[Hg].s/ml"),
    ("[wood'U]", PLAIN, "1", "mm[Hg].min/L"),
    ("[diop]", PLAIN, "1", "/m"),
    ("[mesh_i]", PLAIN, "1", "/[in_i]"),
    ("[Ch]", PLAIN, "1", "mm/3"),
    ("[drp]", PLAIN, "1", "ml/20"),
    ("[hnsf'U]", PLAIN, "1", "1"),
    ("[MET]", PLAIN, "3.5", "mL/min/kg"),
    // Chemical and biochemical units.
    ("eq", METRIC, "1", "mol"),
    ("osm", METRIC, "1", "mol"),
    ("g%", METRIC, "1", "g/dl"),
    ("[S]", PLAIN, "1", "10*-13.s"),
    ("[HPF]", PLAIN, "1", "1"),
    ("[LPF]", PLAIN, "100", "1"),
    ("kat", METRIC, "1", "mol/s"),
    ("U", METRIC, "1", "umol/min"),
    // Miscellaneous.
    ("st", METRIC, "1", "m3"),
    ("Ao", PLAIN, "0.1", "nm"),
    ("b", PLAIN, "100", "fm2"),
    ("att", PLAIN, "1", "kgf/cm2"),
    ("mho", METRIC, "1", "S"),
    ("[psi]", PLAIN, "1", "[lbf_av]/[in_i]2"),
    ("circ", PLAIN, "2", "[pi].rad"),
    ("sph", PLAIN, "4", "[pi].sr"),
    ("[car_m]", PLAIN, "0.2", "g"),
    ("[car_Au]", PLAIN, "1", "/24"),
    ("[smoot]", PLAIN, "67", "[in_i]"),
    ("bit", METRIC, "1", "1"),
    ("By", METRIC, "8", "bit"),
    ("Bd", METRIC, "1", "/s"),
];

/// Scales of temperature: the size of a degree in kelvin as a fraction, and absolute zero in degrees below zero.
const TEMPERATURES: &[(&str, u64, u64, &str)] =
    &[("Cel", 1, 1, "273.15"), ("[degF]", 5, 9, "459.67"), ("[degRe]", 5, 4, "218.52")];

/// Units that a procedure or a reference substance defines: no two of them measure the same.
///
/// Spec: UCUM 2.2, 3.2 Arbitrary Units
const ARBITRARY: &[&str] = &[
    "[arb'U]",
    "[USP'U]",
    "[GPL'U]",
    "[MPL'U]",
    "[APL'U]",
    "[beth'U]",
    "[anti'Xa'U]",
    "[todd'U]",
    "[dye'U]",
    "[smgy'U]",
    "[bdsk'U]",
    "[ka'U]",
    "[knk'U]",
    "[mclg'U]",
    "[tb'U]",
    "[CCID_50]",
    "[TCID_50]",
    "[EID_50]",
    "[PFU]",
    "[FFU]",
    "[CFU]",
    "[IR]",
    "[BAU]",
    "[AU]",
    "[Amb'a'1'U]",
    "[PNU]",
    "[Lf]",
    "[D'ag'U]",
    "[FEU]",
    "[ELU]",
    "[EU]",
    "[NTU]",
    "[FNU]",
    "[hp_X]",
    "[hp_C]",
    "[hp_M]",
    "[hp_Q]",
    "[kp_X]",
    "[kp_C]",
    "[kp_M]",
    "[kp_Q]",
];

/// Logarithms, tangents and roots. What they are functions of is left aside: such a unit is compared with itself and
/// its own prefixes.
///
/// Spec: UCUM 2.2, 3.1 Special Units on non-ratio Scales
const SPECIAL: &[(&str, bool)] = &[
    ("[pH]", PLAIN),
    ("Np", METRIC),
    ("B", METRIC),
    ("B[SPL]", METRIC),
    ("B[V]", METRIC),
    ("B[mV]", METRIC),
    ("B[uV]", METRIC),
    ("B[10.nV]", METRIC),
    ("B[W]", METRIC),
    ("B[kW]", METRIC),
    ("bit_s", PLAIN),
    ("[p'diop]", PLAIN),
    ("%[slope]", PLAIN),
    ("[m/s2/Hz^(1/2)]", PLAIN),
    ("[hp'_X]", PLAIN),
    ("[hp'_C]", PLAIN),
    ("[hp'_M]", PLAIN),
    ("[hp'_Q]", PLAIN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_understood_and_stands_once() {
        let atoms = Atoms::load();
        let lines = BASE.len() + DEFINED.len() + TEMPERATURES.len() + ARBITRARY.len() + 2 + SPECIAL.len();

        assert_eq!(atoms.named.len(), lines);
        assert_eq!(atoms.prefixes.len(), PREFIXES.len());
    }
}
