module github.com/seed-3eec0498/muster/crypto/wycheproof

go 1.26.0

require (
	github.com/c2sp/wycheproof v0.0.0-20260105152342-fca0d3ba9f12
	github.com/seed-3eec0498/muster v0.0.0
)

replace github.com/seed-3eec0498/muster => ../..
