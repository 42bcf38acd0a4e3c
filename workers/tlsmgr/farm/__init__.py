"""Many hosts, one mail system: what they have in common, so that each resumes the others' sessions."""
