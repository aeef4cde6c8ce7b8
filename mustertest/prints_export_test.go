package mustertest

// PersonalPrints gives what NoPersonalPrints fails for.
var PersonalPrints = personalPrints
